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


def by_value(write: Callable[[Column], Column], cells: Column) -> Column:
    """Write each distinct cell once where there are few of them."""
    encoded = cells.dictionary_encode()
    if _is_few(encoded.dictionary, cells):
        return pa.DictionaryArray.from_arrays(encoded.indices, write(encoded.dictionary))
    return write(plain(cells))


def plain(cells: Column) -> Column:
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
                yield plain(held)
            text, held = "", coded if both is None else both
        else:
            yield from _ended(held, text)
            yield part
            text, held = "", None
    yield from _ended(held, text)


def _ended(held: Column | None, text: str) -> Iterator[object]:
    """Give what is held, if anything, with the text behind it."""
    if held is not None and text:
        held = pa.DictionaryArray.from_arrays(held.indices, _join(held.dictionary, text, null=""))
    yield text if held is None else plain(held)


def _known(part: Column, before: str, null: str) -> Column:
    """Give texts with what stands before each; none of them is null."""
    texts, numbers = part.dictionary, part.indices
    if numbers.null_count:
        numbers = pc.fill_null(numbers, len(texts))
        texts = pa.concat_arrays([texts, pa.array([null])])
    return pa.DictionaryArray.from_arrays(numbers, _join(before, texts, null=null))


def _both(left: Column, right: Column) -> Column | None:
    """Put two columns together, once for each pair of texts; None where the pairs are many."""
    size = len(right.dictionary)
    numbers = pc.add(pc.multiply(left.indices.cast(pa.int64()), size), right.indices)
    pairs = numbers.dictionary_encode()
    if not _is_few(pairs.dictionary, numbers):
        return None
    first = pc.divide(pairs.dictionary, size)
    second = pc.subtract(pairs.dictionary, pc.multiply(first, size))
    texts = _join(left.dictionary.take(first), right.dictionary.take(second), null="")
    return pa.DictionaryArray.from_arrays(pairs.indices, texts)


def _join(*parts: object, null: str) -> Column:
    return pc.binary_join_element_wise(*parts, "", null_handling="replace", null_replacement=null)


def _is_coded(cells: Column) -> bool:
    return isinstance(cells, pa.DictionaryArray)


def _is_few(values: Column, cells: Column) -> bool:
    return len(values) * _FEWER <= len(cells)
