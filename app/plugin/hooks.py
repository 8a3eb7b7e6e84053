"""What a plugin may implement, and the marks for it."""

from collections.abc import Sequence

import pluggy

from app.dataset import Dataset
from app.plugin.endpoint import Endpoint

# Raised when a field or a hook goes, never when one comes.
CONTRACT_VERSION = 1

hookspec = pluggy.HookspecMarker("assay")
hookimpl = pluggy.HookimplMarker("assay")


class PluginHooks:
    """What a plugin may implement."""

    @hookspec
    def endpoints(self, dataset: Dataset) -> Sequence[Endpoint]:  # type: ignore[empty-body]
        """Give the endpoints this plugin offers for ``dataset``; none if it has nothing to say.

        Called for every dataset, with every column that is served. An endpoint is served
        where the dataset's ``endpoints`` in the registry name it; a generic one for every
        dataset that does not say ``generic: false``.
        """
