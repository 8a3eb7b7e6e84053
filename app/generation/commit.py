"""The commit: workers are told first, so that they are ready; then the pointer moves."""

from time import monotonic, sleep

from app.generation.manifest import Manifest
from app.generation.store import Store
from app.generation.workers import worker_marks

# A worker that is not ready by then makes its own next request wait; nothing else does.
_PATIENCE_SECONDS = 3.0
_LOOK_SECONDS = 0.02


def commit(store: Store, manifest: Manifest) -> None:
    """Make that Generation the current one.

    Before the last rename nothing is visible; after it nothing is left to do. Workers that
    do not get ready in time hold nothing up.
    """
    store.write(manifest)
    store.announce(manifest)
    until = monotonic() + _PATIENCE_SECONDS
    while monotonic() < until:
        watching = [mark for mark in worker_marks(store) if mark["watches"]]
        if all(mark["ready"] >= manifest.number for mark in watching):
            break
        sleep(_LOOK_SECONDS)
    store.point(manifest)
