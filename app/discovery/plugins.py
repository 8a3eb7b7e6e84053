"""Finds plugins, checks their hooks, and keeps a plugin that fails from harming anything else."""

import importlib.util
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from hashlib import sha256
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType

import pluggy
import structlog

from app.dataset import Dataset
from app.discovery.offers import Clash, Offer, apart, nearest_of, offered
from app.discovery.sound import sound
from app.plugin import Endpoint, PluginHooks

log = structlog.get_logger()

# Health tells everybody; what was raised stands in the log.
_IMPORTED = "failed while it was imported"
_USED = "failed while it was used"


class Plugins:
    """The plugins of one service, found once at its start.

    ``failures`` says for each plugin that is left out why.
    """

    def __init__(self, folder: Path) -> None:
        self._manager = pluggy.PluginManager("assay")
        self._manager.add_hookspecs(PluginHooks)
        self.failures: dict[str, str] = {}
        self._stumbled: dict[str, str] = {}
        for name, load in _found(folder):
            self._add(name, load)

    def fail(self, plugin: str, error: BaseException) -> None:
        """Remember that a plugin brings what cannot be served; the log has the rest."""
        self.failures[plugin] = _USED
        log.error("plugin failed", plugin=plugin, exc_info=error)

    def stumble(self, plugin: str, error: BaseException) -> None:
        """Remember that a plugin failed on a call, until it answers one; the log has the rest."""
        self._stumbled[plugin] = _USED
        log.error("plugin failed", plugin=plugin, exc_info=error)

    def answered(self, plugin: str) -> None:
        """Forget that a plugin failed on a call: it answers."""
        if self._stumbled:
            self._stumbled.pop(plugin, None)

    @property
    def troubles(self) -> dict[str, str]:
        """Give for each plugin that does not work why not, those that stumbled included."""
        return {**self._stumbled, **self.failures}

    def offers(self, datasets: Mapping[str, Dataset]) -> tuple[list[Offer], list[Clash]]:
        """Give every endpoint that these completed datasets offer, and what cannot be offered.

        A clash of two endpoints over a route takes both down; the message names both.
        """
        offers: list[Offer] = []
        clashes: list[Clash] = []
        for dataset in datasets.values():
            for each in self._of(dataset, datasets):
                (offers if isinstance(each, Offer) else clashes).append(each)  # type: ignore[arg-type]
        return apart(offers, clashes)

    def _of(self, dataset: Dataset, datasets: Mapping[str, Dataset]) -> Iterator[Offer | Clash]:
        known: dict[str, tuple[str, Endpoint]] = {}
        for plugin, endpoint in self._free(self._endpoints(dataset)):
            other = known.setdefault(endpoint.name, (plugin, endpoint))[0]
            if other != plugin:
                told = f"plugins {other!r} and {plugin!r} both bring it"
                yield Clash(dataset.name, endpoint.name, told)
                known[endpoint.name] = (other, endpoint)
        generic = [name for name, (_, each) in known.items() if each.generic and dataset.generic]
        for name, options in {**{each: {} for each in generic}, **dataset.endpoints}.items():
            if name in known:
                yield offered(*known[name], dataset, (options, datasets))
            elif not self.failures:
                # With a plugin down nobody can say that the name is wrong: it may be the plugin's.
                yield Clash(dataset.name, name, "no plugin offers it" + nearest_of(name, known))

    def _endpoints(self, dataset: Dataset) -> Iterator[tuple[str, Endpoint]]:
        for hook in self._manager.hook.endpoints.get_hookimpls():
            try:
                arguments = {"dataset": dataset}
                brought = sound(hook.function(*(arguments[name] for name in hook.argnames)))
            except Exception as error:  # noqa: BLE001 - whatever a plugin raises is its own affair
                self.fail(hook.plugin_name, error)
            else:
                yield from ((hook.plugin_name, endpoint) for endpoint in brought)

    def _free(self, brought: Iterable[tuple[str, Endpoint]]) -> Iterator[tuple[str, Endpoint]]:
        """Leave out generic endpoints whose path another plugin's has: who came first keeps it."""
        paths: dict[str, str] = {}
        for plugin, endpoint in brought:
            owner = paths.setdefault(endpoint.path, plugin) if endpoint.generic else plugin
            if owner == plugin:
                yield plugin, endpoint
            else:
                told = f"endpoint {endpoint.name!r}: plugin {owner!r} has its path"
                self.fail(plugin, TypeError(told))

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
    return _IMPORTED
