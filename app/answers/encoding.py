"""Encodings of a body: compressed once for each, and kept as an Answer of its own."""

import gzip
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial

import pyarrow as pa

from app.answers.answer import Answer

# By preference where a client likes several alike; the levels are those that save most per time.
# Arrow's own gzip keeps its state in the codec: two threads at once end the process, or mix bodies.
_CODECS: Mapping[str, Callable[[bytes], bytes]] = {
    "zstd": partial(pa.Codec("zstd", 3).compress, asbytes=True),
    "br": partial(pa.Codec("brotli", 5).compress, asbytes=True),
    "gzip": partial(gzip.compress, compresslevel=6, mtime=0),
}
ENCODINGS = tuple(_CODECS)
# Below this a header costs as much as is saved.
_LEAST_BYTES = 1_024


def encoded(answer: Answer, encoding: str) -> Answer:
    """Give the Answer with its body in that encoding; as it is where little would be saved."""
    if len(answer.body) < _LEAST_BYTES:
        return answer
    body = _CODECS[encoding](answer.body)
    return replace(answer, body=body, headers={**answer.headers, "Content-Encoding": encoding})
