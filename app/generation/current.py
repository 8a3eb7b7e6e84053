"""The one thing that changes: which Generation is current, read from the pointer each time."""

from collections.abc import Callable
from threading import Lock

from app.errors import NoGenerationError
from app.generation.generation import Generation
from app.generation.store import Store

_TRIES = 5
_NONE = "No refresh has succeeded yet."


class CurrentGeneration:
    """The Generation a worker serves; opened anew when the pointer has moved.

    ``taken`` is told of each one that is served from then on, ``waits`` by whom it is opened.
    """

    def __init__(
        self,
        store: Store,
        opener: Callable[[str], Generation],
        taken: Callable[[Generation], None] = lambda _: None,
        waits: Callable[[], None] = lambda: None,
    ) -> None:
        self._store = store
        self._open = opener
        self._taken, self._waits = taken, waits
        self._loaded: Generation | None = None
        self._ready: Generation | None = None
        self._lock = Lock()

    def pin(self) -> Generation:
        """Give the current Generation; never an older one than the pointer named at the call.

        Raises:
            NoGenerationError: none has been made yet.
        """
        name = self._store.current()
        loaded = self._loaded
        if loaded is not None and loaded.name == name:
            return loaded
        if name is None:
            raise NoGenerationError(_NONE)
        self._waits()
        with self._lock:
            return self._load()

    def get_ready(self) -> Generation | None:
        """Open the Generation that was announced, while the current one is served.

        Returns:
            It, the first time that it is ready; None where there is nothing new.
        """
        name = self._store.announced()
        known = {each.name for each in (self._loaded, self._ready) if each is not None}
        if name is None or name in known or (self._loaded and name < self._loaded.name):
            return None
        try:
            ready = self._open(name)
        except FileNotFoundError:
            return None
        with self._lock:
            # A request may have opened it meanwhile.
            if self._loaded is not None and self._loaded.name >= name:
                return None
            self._ready = ready
        return ready

    def _opened(self, name: str) -> Generation:
        ready = self._ready
        return ready if ready and ready.name == name else self._open(name)

    def _load(self) -> Generation:
        for _ in range(_TRIES):
            name = self._store.current()
            if name is None:
                raise NoGenerationError(_NONE)
            if self._loaded is not None and self._loaded.name == name:
                return self._loaded
            try:
                opened = self._opened(name)
            except FileNotFoundError:
                # Collected between the look at the pointer and the opening: look again.
                continue
            self._loaded, self._ready = opened, None
            self._taken(opened)
            return opened
        raise NoGenerationError("The current Generation cannot be opened.")
