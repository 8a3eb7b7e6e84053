"""Which old Generations are kept, and how the rest goes: by unlinking, so that open files stay."""

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime

from app.generation.manifest import Manifest, manifest_name
from app.generation.store import Store

# The current one, and the one that a worker may just be opening.
_ALWAYS = 2


@dataclass(frozen=True, slots=True)
class Retention:
    """How many Generations are kept at least, how long after they were replaced, in how many bytes.

    The byte limit is the stronger rule, but the two newest always stay.
    """

    generations: int
    seconds: float
    bytes: int


def collect(store: Store, retention: Retention) -> list[int]:
    """Remove the Generations that need not be kept, with the Tables and Answers of no kept one.

    It is tidying, done after the commit: what cannot be removed is left for the next time.

    Returns:
        The numbers that were removed, oldest first.
    """
    manifests = [store.manifest(manifest_name(number)) for number in store.numbers()]
    gone = _gone(manifests, retention, datetime.now(UTC))
    for manifest in gone:
        with suppress(OSError):
            (store.generations / manifest.name).unlink(missing_ok=True)
    kept = {
        table.hash
        for manifest in manifests
        if manifest not in gone
        for table in manifest.tables.values()
    }
    for path in store.tables.iterdir():
        if path.name.partition(".")[0] not in kept:
            with suppress(OSError):
                path.unlink(missing_ok=True)
    numbers = {str(manifest.number) for manifest in manifests if manifest not in gone}
    for path in store.spool.iterdir():
        # A part belongs to whoever makes it; the spool itself clears what is left of those.
        if path.suffix != ".part" and path.name.partition("-")[0] not in numbers:
            with suppress(OSError):
                path.unlink(missing_ok=True)
    return [manifest.number for manifest in gone]


def _gone(manifests: list[Manifest], retention: Retention, now: datetime) -> list[Manifest]:
    gone = []
    for place, manifest in enumerate(manifests[:-_ALWAYS]):
        remaining = manifests[place:]
        replaced_at = manifests[place + 1].committed_at
        aged = (now - replaced_at).total_seconds() > retention.seconds
        spare = len(remaining) > retention.generations
        if not (aged and spare) and _bytes(remaining) <= retention.bytes:
            break
        gone.append(manifest)
    return gone


def _bytes(manifests: list[Manifest]) -> int:
    tables = {t.hash: t.all_bytes for manifest in manifests for t in manifest.tables.values()}
    return sum(tables.values())
