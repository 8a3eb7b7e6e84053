"""A query string reads as the standard library reads it."""

from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.errors import InvalidParameterError
from app.http.pairs import query_pairs


def _sent(text):
    """Give a query as WSGI has it: a character for each byte."""
    return {"QUERY_STRING": text.encode().decode("latin-1")}


@given(st.text("ab=&%+ 2é", max_size=12))
def test_each_text_reads_alike(text):
    try:
        expected = parse_qsl(text, keep_blank_values=True, errors="strict")
    except UnicodeDecodeError:
        with pytest.raises(InvalidParameterError):
            query_pairs(_sent(text))
    else:
        assert list(query_pairs(_sent(text))) == expected


@pytest.mark.parametrize("pair", ["a=1", "a=%20"])
def test_too_many_pairs_are_refused_whether_encoded_or_not(pair):
    assert len(query_pairs(_sent("&".join([pair] * 2_000)))) == 2_000
    with pytest.raises(InvalidParameterError, match="more than 2000 parts"):
        query_pairs(_sent("&".join([pair] * 2_001)))
