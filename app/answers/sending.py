"""The bytes of a spooled Answer, or some of them, piece by piece."""

from collections.abc import Iterator
from dataclasses import dataclass

from app.answers.spool import Spooled

_PIECE = 256 * 1024


@dataclass(frozen=True, slots=True)
class Pieces:
    """A body from ``start`` up to ``stop``; whoever takes it closes it."""

    spooled: Spooled
    start: int
    stop: int

    def __len__(self) -> int:
        return self.stop - self.start

    def __iter__(self) -> Iterator[bytes]:
        """Give the pieces.

        Raises:
            EOFError: the file ends before its body does; what was sent must not look whole.
        """
        at = self.start
        while at < self.stop:
            piece = self.spooled.file.read(min(_PIECE, self.stop - at), at)
            if not piece:
                raise EOFError("a spooled Answer was cut")
            at += len(piece)
            yield piece

    def close(self) -> None:
        """Let go of the file."""
        self.spooled.file.close()
