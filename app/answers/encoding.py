"""Encodings of a body: compressed once for each, and kept as an Answer of its own."""

from dataclasses import replace

import pyarrow as pa

from app.answers.answer import Answer

# By preference where a client likes several alike; the levels are those that save most per time.
_CODECS = {
    "zstd": pa.Codec("zstd", 3),
    "br": pa.Codec("brotli", 5),
    "gzip": pa.Codec("gzip", 6),
}
ENCODINGS = tuple(_CODECS)
# Below this a header costs as much as is saved.
_LEAST_BYTES = 1_024


def encoded(answer: Answer, encoding: str) -> Answer:
    """Give the Answer with its body in that encoding; as it is where little would be saved."""
    if len(answer.body) < _LEAST_BYTES:
        return answer
    body = _CODECS[encoding].compress(answer.body, asbytes=True)
    return replace(answer, body=body, headers={**answer.headers, "Content-Encoding": encoding})
