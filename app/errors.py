"""Every refusal of the service: slug, title, status. Never how one looks on the wire."""

from collections.abc import Mapping
from typing import ClassVar

Headers = Mapping[str, str]


class ServiceError(Exception):
    """A refusal with a page of its own in ``docs/reference/problems.md``.

    ``title`` never varies, ``detail`` speaks of this occurrence, and facts become
    members of the problem document.
    """

    slug: ClassVar[str]
    title: ClassVar[str]
    status: ClassVar[int]
    # Headers that every refusal of the kind has.
    always: ClassVar[Headers] = {}

    def __init__(self, detail: str, *, headers: Headers | None = None, **facts: object) -> None:
        super().__init__(detail)
        self.detail = detail
        self.headers = {**self.always, **(headers or {})}
        self.facts = facts

    def as_fact(self) -> dict[str, object]:
        """Give it in the form that job records keep."""
        told = {"type": self.slug, "title": self.title, "status": self.status}
        return {**told, "detail": self.detail, **self.facts}

    @staticmethod
    def from_fact(fact: Mapping[str, object]) -> "ServiceError":
        """Make the refusal again that gave this fact; of an unknown kind, a failed refresh."""
        facts = dict(fact)
        kinds = {kind.slug: kind for kind in ServiceError.__subclasses__() if hasattr(kind, "slug")}
        kind = kinds.get(str(facts.pop("type")), RefreshError)
        refusal = kind(str(facts.pop("detail")))
        refusal.facts = {k: v for k, v in facts.items() if k not in {"title", "status"}}
        return refusal


class InvalidParameterError(ServiceError):
    """A path or query parameter is unknown, missing, or of the wrong form."""

    slug, title, status = "invalid-parameter", "Parameter not valid", 400


class MalformedJsonError(ServiceError):
    """The body is not JSON."""

    slug, title, status = "malformed-json", "Body is not JSON", 400


class MalformedRequestError(ServiceError):
    """The request line, a header or the path is not well formed."""

    slug, title, status = "malformed-request", "Request not well formed", 400


class AnswerTooLargeError(ServiceError):
    """What is asked has more bytes than an answer should hold."""

    slug, title, status = "answer-too-large", "Answer too large", 400


class FigureOutOfRangeError(ServiceError):
    """A figure that was asked for is greater than any number that can be answered."""

    slug, title, status = "figure-out-of-range", "Figure out of range", 400


class ConflictingCredentialsError(ServiceError):
    """Two different credentials came with one request."""

    slug, title, status = "conflicting-credentials", "Two different credentials", 400


class CredentialInAddressError(ServiceError):
    """A key or a token stands in the path or the query."""

    slug, title, status = "credential-in-address", "Credential in the address", 400


class CredentialError(ServiceError):
    """A credential is needed and missing, or it is not a valid one."""

    slug, title, status = "invalid-credential", "Credential missing or not valid", 401
    always: ClassVar[Headers] = {"WWW-Authenticate": 'Bearer realm="assay"'}


class ForbiddenError(ServiceError):
    """The caller is known but lacks the scope."""

    slug, title, status = "forbidden", "Scope not sufficient", 403


class NotFoundError(ServiceError):
    """No route, dataset, row or job has this address."""

    slug, title, status = "not-found", "Not found", 404


class MethodNotAllowedError(ServiceError):
    """The address exists, but not for this method."""

    slug, title, status = "method-not-allowed", "Method not allowed", 405


class NotAcceptableError(ServiceError):
    """No form of this answer is one the client accepts."""

    slug, title, status = "not-acceptable", "No acceptable form", 406


class RefreshRunningError(ServiceError):
    """A rollback came while a refresh runs or waits."""

    slug, title, status = "refresh-running", "A refresh is at work", 409


class GenerationGoneError(ServiceError):
    """The Generation that was asked for is not kept any more."""

    slug, title, status = "generation-gone", "Generation not kept", 410


class BodyTooSlowError(ServiceError):
    """The body takes longer to come than the service waits for one."""

    slug, title, status = "body-too-slow", "Body too slow", 408


class LengthRequiredError(ServiceError):
    """A body came without a ``Content-Length``."""

    slug, title, status = "length-required", "Content-Length required", 411


class BodyTooLargeError(ServiceError):
    """The body is larger than any that the service reads."""

    slug, title, status = "body-too-large", "Body too large", 413


class UriTooLongError(ServiceError):
    """The address is longer than the service reads."""

    slug, title, status = "uri-too-long", "Address too long", 414


class UnsupportedMediaTypeError(ServiceError):
    """The body is not ``application/json``."""

    slug, title, status = "unsupported-media-type", "Media type not supported", 415


class RangeNotSatisfiableError(ServiceError):
    """The range of bytes that was asked for begins beyond the end."""

    slug, title, status = "range-not-satisfiable", "Range not satisfiable", 416


class InvalidBodyError(ServiceError):
    """The body is JSON but does not fit."""

    slug, title, status = "invalid-body", "Body does not fit", 422


class RegistryError(ServiceError):
    """``datasets.yaml`` has errors; ``errors`` lists all of them in file order."""

    slug, title, status = "invalid-registry", "Registry not valid", 422


class SourceError(ServiceError):
    """A source file is missing, unreadable, outside its source, or changed while it was read."""

    slug, title, status = "source-refused", "Source refused", 422


class TableError(ServiceError):
    """A table does not keep what its dataset declares; ``errors`` lists every finding."""

    slug, title, status = "table-refused", "Table refused", 422


class TooManyRequestsError(ServiceError):
    """The client asks, or guesses keys, more often than it may."""

    slug, title, status = "too-many-requests", "Too many requests", 429

    def __init__(self, detail: str, *, seconds: int = 60, **facts: object) -> None:
        super().__init__(detail, headers={"Retry-After": str(seconds)}, **facts)


class HeadersTooLargeError(ServiceError):
    """The headers of the request are larger than the service reads."""

    slug, title, status = "headers-too-large", "Headers too large", 431


class InternalError(ServiceError):
    """A fault of the service itself; the log has the rest under the request id."""

    slug, title, status = "internal-error", "Internal error", 500


class EndpointError(ServiceError):
    """The plugin that serves this endpoint failed on this call."""

    slug, title, status = "endpoint-failed", "Endpoint failed", 500


class RefreshError(ServiceError):
    """A refresh ended before it was done; nothing changed."""

    slug, title, status = "refresh-failed", "Refresh failed", 500


class NoGenerationError(ServiceError):
    """No Generation has been made yet."""

    slug, title, status = "no-generation", "Nothing to serve yet", 503
    always: ClassVar[Headers] = {"Retry-After": "5"}


class BusyError(ServiceError):
    """More questions are being worked on than the service allows at once."""

    slug, title, status = "busy", "Too busy", 503
    always: ClassVar[Headers] = {"Retry-After": "1"}


class RateUnknownError(ServiceError):
    """Requests are counted in Redis, which is gone; what only reads is answered."""

    slug, title, status = "rate-unknown", "Requests cannot be counted", 503
    always: ClassVar[Headers] = {"Retry-After": "5"}


class StateError(ServiceError):
    """The state directory cannot be used for a refresh; what is served is served on."""

    slug, title, status = "state-unusable", "State directory not usable", 503
    always: ClassVar[Headers] = {"Retry-After": "30"}


class ExportTooSlowError(ServiceError):
    """An export takes longer than one may."""

    slug, title, status = "export-too-slow", "Export takes too long", 503
    always: ClassVar[Headers] = {"Retry-After": "60"}


class QuestionTooSlowError(ServiceError):
    """A question takes longer than one may."""

    slug, title, status = "question-too-slow", "Question takes too long", 504


class ExportTooLargeError(ServiceError):
    """An export is larger than the room for all of them."""

    slug, title, status = "export-too-large", "Export too large", 507


class NoRoomError(ServiceError):
    """The state directory has no room for what is to be written."""

    slug, title, status = "no-room", "No room", 507
