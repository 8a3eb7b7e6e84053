"""Refusals on the wire: RFC 9457 problem documents, made in this one place."""

from collections.abc import Mapping

from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from app import errors
from app.errors import ServiceError
from app.formats import json_bytes
from app.http.reply import Reply
from app.logs import hidden

PROBLEM_JSON = "application/problem+json"

_BY_STATUS: Mapping[int, type[ServiceError]] = {
    400: errors.MalformedRequestError,
    404: errors.NotFoundError,
    405: errors.MethodNotAllowedError,
    406: errors.NotAcceptableError,
    413: errors.BodyTooLargeError,
    414: errors.UriTooLongError,
    415: errors.UnsupportedMediaTypeError,
}


def problem_type(slug: str) -> str:
    """Give the ``type`` of a kind of refusal: an identifier, with a heading in problems.md."""
    return f"urn:assay:problem:{slug}"


def sentence(text: str) -> str:
    """Give a text its full stop, unless it ends as a sentence already."""
    return text if text.endswith((".", "?")) else f"{text}."


def problem_document(error: ServiceError, request_id: str) -> dict[str, object]:
    """Give the document of a refusal."""
    return {
        "type": problem_type(error.slug),
        "title": error.title,
        "status": error.status,
        "detail": error.detail,
        "instance": f"urn:assay:request:{request_id}",
        **error.facts,
    }


def problem_reply(error: ServiceError, request_id: str) -> Reply:
    """Give the reply that refuses."""
    written = json_bytes(problem_document(error, request_id)).decode()
    # A refusal repeats what was wrong, which may be a key in the wrong place.
    body = hidden(written).encode()
    headers = {
        "Content-Type": PROBLEM_JSON,
        "Cache-Control": "no-store",
        **error.headers,
        "Content-Length": str(len(body)),
    }
    # Whoever refuses says it in the same words: they would tell who it was.
    return Reply(f"{error.status} {HTTP_STATUS_CODES[error.status].upper()}", headers, body)


def refusal_of(error: HTTPException) -> ServiceError:
    """Give our own refusal for one of the framework's."""
    kind = _BY_STATUS.get(error.code or 500, errors.InternalError)
    details = {
        404: "Nothing has this address.",
        405: "This address does not take this method.",
        413: "The body is too large.",
    }
    detail = details.get(error.code or 500, kind.title + ".")
    allow = error.get_response().headers.get("Allow")
    methods = ", ".join(sorted(allow.split(", "))) if allow else ""
    return kind(detail, headers={"Allow": methods} if methods else None)
