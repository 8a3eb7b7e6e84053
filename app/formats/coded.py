"""Texts that repeat: each is written once, and so is what stands side by side of them.

A column of such is Arrow's own kind: texts, and the number of its text for each row.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

# What `Any` is here: Arrow's arrays, which come without types of their own.
Column = Any

_FEWER = 4
# So few that all pairs of two columns are written sooner than those found that there are.
_FEWEST = 16
_MOST_32 = 2**31 - 1


def by_value(write: Callable[[Column], Column], cells: Column) -> Column:
    """Write each distinct cell once where there are few of them."""
    encoded = cells.dictionary_encode()
    if _is_few(encoded.dictionary, cells):
        return _coded(encoded.indices, write(encoded.dictionary))
    return write(decoded(cells))


def decoded(cells: Column) -> Column:
    """Give the cells themselves, row by row."""
    return cells.dictionary_decode() if _is_coded(cells) else cells


def whole_bytes(cells: Column) -> int:
    """Give what the cells take row by row, at most."""
    if not _is_coded(cells) or not pa.types.is_string(cells.type.value_type):
        return int(cells.nbytes)
    return len(cells) * (pc.max(pc.binary_length(cells.dictionary)).as_py() or 0)


def joined(*parts: object, null: str = "") -> Column:
    """Put texts together row by row; ``null`` stands for those that are null."""
    return _join(*_folded(parts, null), null=null)


def _folded(parts: tuple[object, ...], null: str) -> Iterator[object]:
    """Give fewer parts: what repeats is put together with what stands before and behind it."""
    text = ""
    held: Column | None = None
    for part in parts:
        if isinstance(part, str):
            text += part
        elif _is_coded(part):
            coded = _known(part, text, null)
            both = None if held is None else _both(held, coded)
            if held is not None and both is None:
                yield decoded(held)
            text, held = "", coded if both is None else both
        else:
            yield from _ended(held, text)
            yield part
            text, held = "", None
    yield from _ended(held, text)


def _ended(held: Column | None, text: str) -> Iterator[object]:
    """Give what is held, if anything, with the text behind it."""
    if held is not None and text:
        held = _coded(held.indices, _join(held.dictionary, text, null=""))
    yield text if held is None else decoded(held)


def _known(part: Column, before: str, null: str) -> Column:
    """Give texts with what stands before each; none of them is null."""
    texts, numbers = part.dictionary, part.indices
    if numbers.null_count:
        numbers = pc.fill_null(numbers, len(texts))
        texts = pa.concat_arrays([texts, pa.array([null])])
    return _coded(numbers, _join(before, texts, null=null))


def _both(left: Column, right: Column) -> Column | None:
    """Put two columns together, once for each pair of texts; None where the pairs are many."""
    many = len(left.dictionary) * len(right.dictionary)
    kind = pa.int32() if many <= _MOST_32 else pa.int64()
    size = pa.scalar(len(right.dictionary), kind)
    numbers = pc.add(pc.multiply(left.indices.cast(kind), size), right.indices.cast(kind))
    if many * _FEWEST <= len(numbers):
        pairs = pa.array(range(many), kind)
    else:
        found = numbers.dictionary_encode()
        pairs, numbers = found.dictionary, found.indices
        if not _is_few(pairs, numbers):
            return None
    first = pc.divide(pairs, size)
    second = pc.subtract(pairs, pc.multiply(first, size))
    texts = _join(left.dictionary.take(first), right.dictionary.take(second), null="")
    return _coded(numbers, texts)


def _join(*parts: object, null: str) -> Column:
    return pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement=null)


def _coded(numbers: Column, texts: Column) -> Column:
    # The numbers are our own: Arrow need not look whether each of them has a text.
    return pa.DictionaryArray.from_arrays(numbers, texts, safe=False)


def _is_coded(cells: Column) -> bool:
    return isinstance(cells, pa.DictionaryArray)


def _is_few(values: Column, cells: Column) -> bool:
    return len(values) * _FEWER <= len(cells)
