"""The cursor of a request, and the address of the page after it."""

from urllib.parse import quote, urlencode

from app.errors import InvalidParameterError
from app.http.pairs import Pairs
from app.http.parameters import Asked
from app.http.visit import LONGEST_ADDRESS, Environ, path_of
from app.plugin.call import Place
from app.query import Cursor
from app.values import per_request

_OURS = "what `next` gave, with the same parameters beside it"


@per_request
class Paging:
    """Where a request begins, in which Generation, and how it goes on.

    Cursors belong to what is ``asked`` of an endpoint's ``path``; ``key`` seals them.
    """

    path: str
    asked: Asked
    key: bytes
    cursor: Cursor | None
    generation: int | None

    @classmethod
    def of(cls, path: str, asked: Asked, key: bytes) -> "Paging":
        """Open the cursor that is asked with, if there is one.

        Raises:
            InvalidParameterError: it is not one of ours, or belongs to another question or
                another Generation than the one that is asked for.
        """
        number, text = asked.number("generation"), asked.values.get("cursor")
        if text is None:
            return cls(path, asked, key, None, number)
        try:
            cursor = Cursor.opened(str(text), _question(path, asked), key)
        except ValueError as error:
            raise _refused("cursor", "it is no cursor of this question", _OURS) from error
        if number not in (None, cursor.generation):
            raise _refused("cursor", f"it belongs to Generation {cursor.generation}", _OURS)
        return cls(path, asked, key, cursor, cursor.generation)

    def place(self, generation: int, environ: Environ, pairs: Pairs) -> Place:
        """Give where the page begins, and how the address of another one is written."""

        def address(after: tuple[object, ...]) -> str:
            question = _question(self.path, self.asked)
            text = Cursor(generation, after).sealed(question, self.key)
            others = [pair for pair in pairs if pair[0] != "cursor"]
            following = f"{quote(path_of(environ))}?{urlencode([*others, ('cursor', text)])}"
            if len(following) > LONGEST_ADDRESS:
                message = "the values it orders by are too long for the address of the next page"
                raise _refused("sort", message, "columns of shorter values")
            return following

        return Place(() if self.cursor is None else self.cursor.after, address)


def _question(path: str, asked: Asked) -> str:
    return f"{path}\n{asked.question}"


def _refused(parameter: str, message: str, allowed: str) -> InvalidParameterError:
    fault = {"parameter": parameter, "message": message, "allowed": allowed}
    return InvalidParameterError(f"{parameter}: {message}.", errors=[fault])
