"""Finds plugins, checks their hooks, and keeps a plugin that fails from harming anything else."""

import importlib.util
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from hashlib import sha256
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import pluggy
import structlog

from app.dataset import Constant, Dataset
from app.plugin import Endpoint, PluginHooks

log = structlog.get_logger()

_OPTIONS = ("path", "columns")
_PATH = re.compile(r"(/(?!\.+(?:/|$))([A-Za-z0-9._~-]+|{[a-z_]+}))+")
_PLACE = re.compile(r"{[a-z_]+}")
# The service's own addresses below /api/v1.
_RESERVED = ("/datasets", "/data", "/datapackage.json")


@dataclass(frozen=True, slots=True)
class Offer:
    """An endpoint as one dataset offers it; ``dataset`` has its columns under the endpoint's names.

    ``others`` names the datasets it reads, by option.
    """

    plugin: str
    endpoint: Endpoint
    dataset: Dataset
    path: str
    others: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Clash:
    """Something an endpoint of the registry cannot be: where it stands there, and why."""

    dataset: str
    endpoint: str
    message: str


class Plugins:
    """The plugins of one service, found once at its start.

    ``failures`` says for each plugin that does not work why not; it grows when one fails later.
    """

    def __init__(self, folder: Path) -> None:
        self._manager = pluggy.PluginManager("assay")
        self._manager.add_hookspecs(PluginHooks)
        self.failures: dict[str, str] = {}
        for name, load in _found(folder):
            self._add(name, load)

    def fail(self, plugin: str, error: BaseException) -> None:
        """Remember that a plugin failed; the log has the rest."""
        self.failures[plugin] = f"{type(error).__name__} while it was used"
        log.error("plugin failed", plugin=plugin, exc_info=error)

    def offers(self, datasets: Mapping[str, Dataset]) -> tuple[list[Offer], list[Clash]]:
        """Give every endpoint that these completed datasets offer, and what cannot be offered.

        A clash of two endpoints over a route takes both down; the message names both.
        """
        offers: list[Offer] = []
        clashes: list[Clash] = []
        for dataset in datasets.values():
            for each in self._of(dataset, datasets):
                (offers if isinstance(each, Offer) else clashes).append(each)  # type: ignore[arg-type]
        return _apart(offers, clashes)

    def _of(self, dataset: Dataset, datasets: Mapping[str, Dataset]) -> Iterator[Offer | Clash]:
        known: dict[str, tuple[str, Endpoint]] = {}
        for plugin, endpoint in self._endpoints(dataset):
            other = known.setdefault(endpoint.name, (plugin, endpoint))[0]
            if other != plugin:
                told = f"plugins {other!r} and {plugin!r} both bring it"
                yield Clash(dataset.name, endpoint.name, told)
                known[endpoint.name] = (other, endpoint)
        for name, options in dataset.endpoints.items():
            if name in known:
                yield _offered(*known[name], dataset, (options, datasets))
            elif not self.failures:
                # With a plugin down nobody can say that the name is wrong: it may be the plugin's.
                yield Clash(dataset.name, name, "no plugin offers it" + _nearest(name, known))

    def _endpoints(self, dataset: Dataset) -> Iterator[tuple[str, Endpoint]]:
        for hook in self._manager.hook.endpoints.get_hookimpls():
            try:
                arguments = {"dataset": dataset}
                brought = _brought(hook.function(*(arguments[name] for name in hook.argnames)))
            except Exception as error:  # noqa: BLE001 - whatever a plugin raises is its own affair
                self.fail(hook.plugin_name, error)
            else:
                yield from ((hook.plugin_name, endpoint) for endpoint in brought)

    def _add(self, name: str, load: Callable[[], object]) -> None:
        if self._manager.has_plugin(name):
            self.failures[name] = "another plugin has its name"
            return
        try:
            plugin = load()
            self._manager.register(plugin, name)
            _check_hooks(self._manager, plugin)
        except (Exception, SystemExit) as error:
            if self._manager.has_plugin(name):
                self._manager.unregister(name=name)
            self.failures[name] = _reason(error)
            log.exception("plugin not loaded", plugin=name)


class Loader:
    """How one plugin is imported."""

    def __init__(self, name: str, path: Path) -> None:
        self._name = f"assay_plugin_{sha256(str(path).encode()).hexdigest()[:8]}_{name}"
        self._path = path

    def __call__(self) -> ModuleType:
        """Import the module of that file, under a name of its own."""
        spec = importlib.util.spec_from_file_location(self._name, self._path)
        if spec is None or spec.loader is None:
            raise ImportError(self._path.name)
        module = importlib.util.module_from_spec(spec)
        sys.modules[self._name] = module
        spec.loader.exec_module(module)
        return module


def _brought(endpoints: object) -> Sequence[Endpoint]:
    if not isinstance(endpoints, Sequence) or not all(isinstance(e, Endpoint) for e in endpoints):
        raise TypeError("endpoints() must give a sequence of Endpoint")
    return endpoints


def _found(folder: Path) -> Iterator[tuple[str, Callable[[], object]]]:
    """Give each plugin's name and how it is imported: the folder's by name, then entry points."""
    for path in sorted(folder.glob("[!_]*.py")):
        yield path.stem, Loader(path.stem, path)
    for point in sorted(entry_points(group="assay.plugins"), key=lambda each: each.name):
        yield point.name, point.load


def _check_hooks(manager: pluggy.PluginManager, plugin: object) -> None:
    """Refuse a plugin with a misspelt hook, which would never be called, or with none."""
    manager.check_pending()
    if not manager.get_hookcallers(plugin):
        raise pluggy.PluginValidationError(plugin, "it has no function marked @hookimpl")


def _reason(error: BaseException) -> str:
    if isinstance(error, pluggy.PluginValidationError):
        return str(error.args[-1])
    return f"{type(error).__name__} while it was imported"


def _offered(
    plugin: str,
    endpoint: Endpoint,
    dataset: Dataset,
    given: tuple[Mapping[str, object], Mapping[str, Dataset]],
) -> Offer | Clash:
    options, datasets = given
    message = _unfit(endpoint, dataset, options, datasets)
    if message is not None:
        return Clash(dataset.name, endpoint.name, message)
    columns = {**endpoint.columns, **_mapping(options.get("columns"))}
    others = {name: str(options[name]) for name in endpoint.reads if name in options}
    path = str(options.get("path", endpoint.path))
    return Offer(plugin, endpoint, dataset.renamed(columns), path, others)


def _unfit(
    endpoint: Endpoint,
    dataset: Dataset,
    options: Mapping[str, object],
    datasets: Mapping[str, Dataset],
) -> str | None:
    """Say why a dataset cannot offer an endpoint with these options; None where it can."""
    allowed = (*_OPTIONS, *endpoint.reads)
    for option in options:
        if option not in allowed:
            return f"unknown option {option!r}" + _nearest(option, allowed)
    misled = _misled(endpoint, str(options.get("path", endpoint.path)))
    if misled is not None:
        return misled
    for option in endpoint.reads:
        if option in options and options[option] not in datasets:
            named = str(options[option])
            return f"{option}: no dataset {named!r}" + _nearest(named, datasets)
    for name, column in {**endpoint.columns, **_mapping(options.get("columns"))}.items():
        if isinstance(column, str) and not dataset.has_column(column):
            served = [each.name for each in dataset.columns]
            return f"needs a column {column!r} as {name!r}" + _nearest(column, served)
    return None


def _misled(endpoint: Endpoint, path: str) -> str | None:
    """Say why an endpoint cannot have that path; None where it can."""
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


def _nearest(name: str, names: Sequence[str] | Mapping[str, object]) -> str:
    close = get_close_matches(name, list(names), n=1)
    if close:
        return f"; did you mean {close[0]!r}?"
    return f"; there is {', '.join(names)}" if names else ""


def _apart(offers: list[Offer], clashes: list[Clash]) -> tuple[list[Offer], list[Clash]]:
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
