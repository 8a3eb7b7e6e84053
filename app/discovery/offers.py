"""What datasets offer: endpoints of plugins, fitted to each dataset, and what cannot be."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches

from app.dataset import PUBLIC, Constant, Dataset
from app.plugin import Endpoint

_OPTIONS = ("path", "columns")
_PATH = re.compile(r"(/(?!\.+(?:/|$))([A-Za-z0-9._~-]+|{[a-z_]+}))+")
_PLACE = re.compile(r"{[a-z_]+}")
# The service's own addresses below /api/v1.
_RESERVED = ("/datasets", "/data", "/datapackage.json")


@dataclass(frozen=True, slots=True)
class Offer:
    """An endpoint as one dataset offers it; ``dataset`` has its columns under the endpoint's names.

    ``columns`` says which of its names is which column, ``others`` names the datasets it
    reads, by option.
    """

    plugin: str
    endpoint: Endpoint
    dataset: Dataset
    path: str
    columns: Mapping[str, str | Constant]
    others: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Clash:
    """Something an endpoint of the registry cannot be: where it stands there, and why."""

    dataset: str
    endpoint: str
    message: str


def offered(
    plugin: str,
    endpoint: Endpoint,
    dataset: Dataset,
    given: tuple[Mapping[str, object], Mapping[str, Dataset]],
) -> Offer | Clash:
    """Fit an endpoint to a dataset by the registry's options for it, or say why it cannot be."""
    options, datasets = given
    message = _unfit(endpoint, dataset, options, datasets)
    if message is not None:
        return Clash(dataset.name, endpoint.name, message)
    columns = {**endpoint.columns, **_mapping(options.get("columns"))}
    others = {name: str(options[name]) for name in endpoint.reads if name in options}
    path = str(options.get("path", endpoint.path))
    if endpoint.generic:
        path = f"/datasets/{dataset.name}{endpoint.path}"
    return Offer(plugin, endpoint, dataset.renamed(columns), path, columns, others)


def _unfit(
    endpoint: Endpoint,
    dataset: Dataset,
    options: Mapping[str, object],
    datasets: Mapping[str, Dataset],
) -> str | None:
    """Say why a dataset cannot offer an endpoint with these options; None where it can."""
    # Where a generic endpoint is, and of which columns it speaks, is the same for every dataset.
    allowed = (*(() if endpoint.generic else _OPTIONS), *endpoint.reads)
    for option in options:
        if option not in allowed:
            return f"unknown option {option!r}" + nearest_of(option, allowed)
    misled = _misled(endpoint, str(options.get("path", endpoint.path)))
    if misled is not None:
        return misled
    unread = _unread(endpoint, dataset, options, datasets)
    if unread is not None:
        return unread
    for name, column in {**endpoint.columns, **_mapping(options.get("columns"))}.items():
        if isinstance(column, str) and not dataset.has_column(column):
            served = [each.name for each in dataset.columns]
            return f"needs a column {column!r} as {name!r}" + nearest_of(column, served)
    return None


def _unread(
    endpoint: Endpoint,
    dataset: Dataset,
    options: Mapping[str, object],
    datasets: Mapping[str, Dataset],
) -> str | None:
    """Say why an endpoint cannot read another dataset; None where it reads none, or can."""
    for option in endpoint.reads:
        named = str(options.get(option, ""))
        other = datasets.get(named)
        if option in options and other is None:
            return f"{option}: no dataset {named!r}" + nearest_of(named, datasets)
        if other is not None and other.access not in (PUBLIC, dataset.access):
            # Else who may read the one would learn of the other.
            told = f"is read with the scope {other.access}, {dataset.name!r} is not"
            return f"{option}: {named!r} {told}"
    return None


def _misled(endpoint: Endpoint, path: str) -> str | None:
    """Say why an endpoint cannot have that path; None where it can."""
    if endpoint.generic:
        return None
    if not _PATH.fullmatch(path):
        return f"path {path!r}: parts of letters, digits, '._~-', or one name in braces are allowed"
    if any(f"{path}/".startswith(f"{own}/") for own in _RESERVED):
        return f"path {path!r}: {', '.join(_RESERVED)} are the service's own"
    needed = sorted(_PLACE.findall(endpoint.path))
    if sorted(_PLACE.findall(path)) != needed:
        return f"path {path!r}: it needs {', '.join(needed) or 'no braces'}, once each"
    return None


def _mapping(value: object) -> dict[str, str | Constant]:
    """Read the option ``columns``: for a name, a column or ``{value: text}``."""
    if not isinstance(value, Mapping):
        return {}
    return {
        str(name): Constant(str(each.get("value"))) if isinstance(each, Mapping) else str(each)
        for name, each in value.items()
    }


def nearest_of(name: str, names: Sequence[str] | Mapping[str, object]) -> str:
    """Say which name is nearest to one that is not known, else which there are."""
    close = get_close_matches(name, list(names), n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there is {', '.join(names)}" if names else ""


def apart(offers: list[Offer], clashes: list[Clash]) -> tuple[list[Offer], list[Clash]]:
    """Take out the offers that share a route, or that are known to clash already."""
    routes: dict[str, list[Offer]] = {}
    for offer in offers:
        routes.setdefault(_PLACE.sub("{}", offer.path), []).append(offer)
    for sharing in routes.values():
        if len(sharing) > 1:
            path = sharing[0].path
            names = " and ".join(f"{each.dataset.name}.{each.endpoint.name}" for each in sharing)
            told = f"{names} share the route {path!r}; give one a 'path' of its own"
            clashes.extend(Clash(e.dataset.name, e.endpoint.name, told) for e in sharing)
    down = {(clash.dataset, clash.endpoint) for clash in clashes}
    kept = [each for each in offers if (each.dataset.name, each.endpoint.name) not in down]
    return kept, clashes
