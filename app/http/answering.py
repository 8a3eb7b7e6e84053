"""From a question to a reply: identity, 304, kept Answer or a new one, lineage and headers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time
from functools import lru_cache
from math import inf
from typing import BinaryIO, cast

from app.answers import KEPT, Answer, Identity, Keeper, Known, Spool, encoded
from app.dataset import Dataset
from app.formats import JSON, json_bytes, plain
from app.generation import Generation
from app.http.accepting import bare_tag, known_tag, liked_encoding, liked_media, takes_any
from app.http.exporting import Exported, send
from app.http.reply import OK, UNCHANGED, Reply
from app.http.stamping import lineage_headers, metadata, told_of
from app.http.visit import Environ, Visit, cache_control, path_of, visit_of
from app.query import Stamp
from app.registry import yaml_text
from app.values import per_request

_CATALOGUE_SECONDS = 60
_VARY = "Accept, Accept-Encoding"
_VARY_BY_CALLER = f"{_VARY}, Authorization, X-API-Key"
_YAML = "application/yaml"
# Every identity holds when its Generation was committed.
_committed = lru_cache(maxsize=64)(datetime.isoformat)


@per_request
class Question:
    """What is asked: of which dataset, by which checked parameters, in which forms.

    ``query`` is the canonical text of the parameters, ``media`` the types it can be answered
    in. With ``wide_as_text`` integers that floats cannot hold are text.
    """

    query: str
    dataset: Dataset | None = None
    media: tuple[str, ...] = (JSON,)
    wide_as_text: bool = False

    @property
    def seconds(self) -> int:
        """Give how long an Answer may be kept."""
        return _CATALOGUE_SECONDS if self.dataset is None else self.dataset.max_age


@per_request
class Body:
    """What a view found out: its content, the lineage of what is in it, and where it goes on.

    With a stamp ``metadata`` joins the content.
    """

    content: Mapping[str, object]
    stamp: Stamp | None = None
    next: str | None = None


# By a name, as functions are made with it for each request.
Made = Body | Exported
Make = Callable[[Generation], Made]


@dataclass(frozen=True, slots=True)
class Answering:
    """Turns bodies into replies, each made once; ``key`` is the Store's, for ETags."""

    keeper: Keeper
    spool: Spool
    key: bytes

    def respond(self, environ: Environ, question: Question, make: Make) -> Reply:
        """Answer a request whose parameters are checked, from the Generation its visit reads.

        Raises:
            NotAcceptableError: the client takes none of the forms there are.
            RangeNotSatisfiableError: the range of an Export begins beyond its end.
        """
        visit = visit_of(environ)
        generation, dataset = visit.generation, question.dataset
        freshness, until = _freshness(visit, dataset)
        plain = _identity(environ, visit, question, freshness)
        encoding = liked_encoding(environ.get("HTTP_ACCEPT_ENCODING", ""))
        identity = replace(plain, encoding=encoding) if encoding else plain
        forms = (identity, plain) if encoding else (plain,)
        etags = [each.etag(self.key) for each in forms]
        headers = _constant_headers(visit, dataset, plain.scope, etags[0])
        known = known_tag(environ, etags)
        if known is not None:
            kept = self.keeper.kept(identity)
            about = {} if dataset is None else {"dataset": dataset.name}
            visit.told.update({**about, **(kept.told if kept else {}), "cache": "revalidated"})
            return Reply(UNCHANGED, {**headers, "ETag": known})

        def answered() -> Answer:
            made = make(generation)
            if isinstance(made, Exported):
                return Answer(b"", {}, spooled=True)
            return visit.timing.of("encode", _answer, made, generation, (question, plain))

        answer, outcome = self.keeper.answer(plain, question.seconds, answered)
        if answer.spooled:
            headers["ETag"] = etags[-1]
            return self._sent(environ, plain, headers, lambda: make(generation))
        visit.told.update(answer.told, cache=outcome)
        return self._given(environ, (question, identity, until), headers, answer)

    def _given(
        self,
        environ: Environ,
        asked: tuple[Question, Identity, float],
        headers: Mapping[str, str],
        answer: Answer,
    ) -> Reply:
        """Give an Answer in the encoding of its identity, which the front may give again."""
        visit, (question, identity, until) = visit_of(environ), asked
        if identity.encoding:
            plain = answer

            def compressed() -> Answer:
                return visit.timing.of("encode", encoded, plain, identity.encoding)

            answer, _ = self.keeper.answer(identity, question.seconds, compressed)
        if takes_any(environ):
            # "*" stands for any answer there is, so one had to be made first.
            return Reply(UNCHANGED, headers)
        both = (tuple(headers.items()), tuple(answer.headers.items()))
        visit.known = Known(identity, *both, dict(visit.told), visit.generation.number, until)
        length, spent = str(len(answer.body)), visit.timing.header or KEPT
        own = {"Server-Timing": spent, "Content-Length": length}
        return Reply(OK, {**headers, **answer.headers, **own}, answer.body)

    def _sent(
        self,
        environ: Environ,
        identity: Identity,
        headers: Mapping[str, str],
        make: Callable[[], Made],
    ) -> Reply:
        """Send an Export from the spool, made before where it is not there."""
        timing = visit_of(environ).timing

        def written(sink: BinaryIO) -> Mapping[str, object]:
            return timing.of("export", lambda: _exported(make()).write(sink, identity.freshness))

        spooled, outcome = self.spool.answer(identity, written)
        visit_of(environ).told.update(spooled.told["log"], cache=outcome)
        headers = {**headers, "Server-Timing": timing.header or KEPT}
        tag = f'"{bare_tag(headers["ETag"])}-{spooled.edition}"'
        return send(environ, spooled, {**headers, "ETag": tag})


def _identity(environ: Environ, visit: Visit, question: Question, freshness: str) -> Identity:
    """Give the identity of the Answer as it is before anything compresses it."""
    generation, dataset = visit.generation, question.dataset
    media = liked_media(environ.get("HTTP_ACCEPT", ""), question.media)
    asked = (generation.number, path_of(environ), question.query, freshness, media)
    committed = _committed(generation.committed_at)
    return Identity(*asked, scope=_scope(visit, dataset), committed=committed)


def _answer(made: Body, generation: Generation, asked: tuple[Question, Identity]) -> Answer:
    question, identity = asked
    dataset, stamp, content, media = question.dataset, made.stamp, made.content, identity.format
    headers: dict[str, str] = {"Content-Type": media}
    told: dict[str, object] = {}
    if dataset is not None:
        told = {"dataset": dataset.name} if stamp is None else told_of(dataset, stamp)
    if dataset is not None and stamp is not None:
        about = metadata(generation, dataset, stamp, identity.freshness)
        content = {**content, "metadata": about}
        headers |= lineage_headers(stamp)
    if made.next is not None:
        headers["Link"] = f'<{made.next}>; rel="next"'
    if media == _YAML:
        body = yaml_text(cast("dict[str, object]", plain(content))).encode()
    else:
        body = json_bytes(content, wide_as_text=question.wide_as_text)
    return Answer(body, headers, told)


def _exported(made: Made) -> Exported:
    if isinstance(made, Exported):
        return made
    raise TypeError("one question is answered now in one way, now in another")


def _constant_headers(
    visit: Visit, dataset: Dataset | None, scope: str, etag: str
) -> dict[str, str]:
    """Give the headers that a 200 and a 304 share."""
    if dataset is None:
        control = cache_control(map(visit.access, visit.readable(visit.generation)))
        return {"ETag": etag, "Cache-Control": control, "Vary": _VARY_BY_CALLER}
    headers = {"ETag": etag, "Cache-Control": cache_control({scope}), "Vary": _VARY}
    if dataset.deprecated_since is not None:
        since = datetime.combine(dataset.deprecated_since, time(), UTC)
        headers["Deprecation"] = f"@{int(since.timestamp())}"
    return headers


def _freshness(visit: Visit, dataset: Dataset | None) -> tuple[str, float]:
    """Say how fresh all is that an Answer tells of, and until when that holds."""
    if dataset is not None:
        return visit.generation.freshness(dataset.name)
    found = list(map(visit.generation.freshness, visit.readable(visit.generation)))
    return ",".join([each for each, _ in found]), min([until for _, until in found], default=inf)


def _scope(visit: Visit, dataset: Dataset | None) -> str:
    """Say for whom an Answer is: who has a dataset's scope, or who does not see the same ones."""
    if dataset is not None:
        return visit.access(dataset.name)
    return ",".join(sorted(visit.hidden(visit.generation)))
