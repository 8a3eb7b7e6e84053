"""Columns as JSON texts, nested ones too: the same that ``json_bytes`` writes cell by cell."""

from dataclasses import dataclass
from decimal import Decimal

import orjson
import pyarrow as pa
import pyarrow.compute as pc

from app.formats.batches import JSON_TEXT, WIDE_INTEGER, has_mark
from app.formats.cells import Column, plain_texts
from app.formats.coded import by_value, decoded, joined
from app.formats.json import EXACT_INTEGER

_ESCAPED = r'[\x00-\x1f"\\]'
_WIDE_BITS = 64


@dataclass(frozen=True, slots=True)
class JsonTexts:
    """Writes columns as JSON; ``wide_as_text`` puts integers that floats cannot hold in quotes."""

    wide_as_text: bool = False

    def of(self, cells: Column, field: pa.Field) -> Column:
        """Give the JSON of each cell; of a null, ``null``."""
        return pc.coalesce(decoded(self._known(cells, field)), "null")

    def record(
        self, columns: list[tuple[Column, pa.Field]], before: str = "", after: str = ""
    ) -> Column:
        """Give an object for each row, its members in the order of the columns.

        ``before`` and ``after`` stand around each: to join them later would copy all of it.
        """
        parts: list[object] = []
        for cells, field in columns:
            opening = "," if parts else before + "{"
            parts += [f"{opening}{_quoted(field.name)}:", self._known(cells, field)]
        return joined(*parts, "}" + after, null="null")

    def _known(self, cells: Column, field: pa.Field) -> Column:
        kind = field.type
        if pa.types.is_struct(kind):
            within = list(zip(cells.flatten(), kind.fields, strict=True))
            return known(cells, self.record(within))
        if pa.types.is_map(kind):
            return self._map(cells, field)
        if pa.types.is_list(kind):
            return self._list(cells, kind.value_field)
        return self._scalar(cells, field)

    def _list(self, cells: Column, element: pa.Field) -> Column:
        lengths = pc.cumulative_sum(pc.list_value_length(cells).fill_null(0))
        offsets = pa.concat_arrays([pa.array([0], pa.int32()), lengths])
        texts = pa.ListArray.from_arrays(offsets, self.of(cells.flatten(), element))
        joined = pc.binary_join(texts, ",")
        return known(cells, pc.binary_join_element_wise("[", joined, "]", ""))

    def _map(self, cells: Column, field: pa.Field) -> Column:
        pair = pa.struct([field.type.key_field, field.type.item_field])
        return self._list(cells.cast(pa.list_(pair)), pa.field("pair", pair))

    def _scalar(self, cells: Column, field: pa.Field) -> Column:
        kind = field.type
        if pa.types.is_integer(kind) or has_mark(field, WIDE_INTEGER):
            return self._integers(cells, plain_texts(cells, field))
        if pa.types.is_floating(kind) or pa.types.is_boolean(kind):
            return plain_texts(cells, field)
        if has_mark(field, JSON_TEXT):
            # Between the parts of a JSON text a line break means nothing; between records it does.
            return pc.replace_substring_regex(cells, "[\r\n]", " ")
        if pa.types.is_string(kind):
            return by_value(_strings, cells)
        return by_value(lambda each: _in_quotes(plain_texts(each, field)), cells)

    def _integers(self, cells: Column, texts: Column) -> Column:
        kind = cells.type
        if not self.wide_as_text or kind.bit_width < _WIDE_BITS:
            return texts
        most = Decimal(EXACT_INTEGER) if pa.types.is_decimal(kind) else EXACT_INTEGER
        wide = pc.greater(cells, pa.scalar(most, kind))
        if not pa.types.is_unsigned_integer(kind):
            wide = pc.or_(wide, pc.less(cells, pa.scalar(-most, kind)))
        return pc.if_else(wide, _in_quotes(texts), texts)


def _strings(cells: Column) -> Column:
    if not pc.any(pc.match_substring_regex(cells, _ESCAPED)).as_py():
        return _in_quotes(cells)
    texts = [None if value is None else _quoted(value) for value in cells.to_pylist()]
    return pa.array(texts, pa.string())


def _quoted(text: str) -> str:
    return orjson.dumps(text).decode()


def _in_quotes(texts: Column) -> Column:
    return pc.binary_join_element_wise('"', texts, '"', "")


def known(cells: Column, texts: Column) -> Column:
    """Give the texts of the cells that are not null; null for the others."""
    return pc.if_else(pc.is_valid(cells), texts, pa.scalar(None, pa.string()))
