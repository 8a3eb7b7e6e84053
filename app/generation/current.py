"""The one thing that changes: which Generation is current, read from the pointer each time."""

from collections.abc import Callable
from threading import Lock

from app.errors import NoGenerationError
from app.generation.generation import Generation
from app.generation.store import Store

_TRIES = 5


class CurrentGeneration:
    """The Generation a worker serves; opened anew when the pointer has moved."""

    def __init__(self, store: Store, opener: Callable[[str], Generation]) -> None:
        self._store = store
        self._open = opener
        self._loaded: Generation | None = None
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
        with self._lock:
            return self._load()

    @property
    def loaded(self) -> Generation | None:
        """Give the Generation that was pinned last, without looking."""
        return self._loaded

    def _load(self) -> Generation:
        for _ in range(_TRIES):
            name = self._store.current()
            if name is None:
                raise NoGenerationError("No refresh has succeeded yet.")
            if self._loaded is not None and self._loaded.name == name:
                return self._loaded
            try:
                self._loaded = self._open(name)
            except FileNotFoundError:
                # Collected between the look at the pointer and the opening: look again.
                continue
            return self._loaded
        raise NoGenerationError("The current Generation cannot be opened.")
