"""The measures: figures over many rows, each as an expression and the type of its result."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlglot import exp

from app.dataset import Column
from app.query.cells import counted
from app.query.parts import PARTS, Expression, always, call, ratio, share
from app.query.query import Measure

_ENDS = ("min", "max")
# Beyond it the sum of some million squares is no number any more.
_WIDEST_SPREAD = exp.Literal.number("1e150")


@dataclass(frozen=True, slots=True)
class Function:
    """One measure: how many columns it looks at, what it computes, and what comes out.

    ``result`` gives the type and the engine's own type for the columns that are looked at.
    """

    columns: int
    expression: Callable[..., Expression]
    result: Callable[..., tuple[str, str]]


def figure(measure: Measure, columns: Sequence[Column]) -> tuple[Column, Expression]:
    """Give what a measure of these columns is answered as, and its expression.

    Null and NaN are left out; a figure that is no finite number is null.
    """
    if measure.function in _ENDS and columns[0].type == "string":
        return finished(measure, columns, _end(measure.function, *cells(columns)))
    return finished(measure, columns, FUNCTIONS[measure.function].expression(*cells(columns)))


def cells(columns: Sequence[Column]) -> list[Expression]:
    """Give the cells that a measure looks at: one column, or a forecast and its actual."""
    counts = [counted(column) for column in columns]
    if len(columns) == 1:
        return counts
    return [_wide(*pair) for pair in zip(columns, counts, strict=True)]


def _wide(column: Column, cell: Expression) -> Expression:
    # The difference of two small or unsigned integers may not fit their own type.
    wide = exp.cast(cell, "int128") if column.type == "integer" else cell
    return always(wide) if column.full else wide


def finished(
    measure: Measure, columns: Sequence[Column], expression: Expression
) -> tuple[Column, Expression]:
    """Give what a measure is answered as; no number is answered that is not finite."""
    result, physical = FUNCTIONS[measure.function].result(*columns)
    finite = _if(call("isfinite", expression), expression) if result == "number" else expression
    return Column(measure.name, result, physical=physical), finite


def _mape(forecast: Expression, actual: Expression) -> Expression:
    return call("avg", share(forecast, actual))


def _wape(forecast: Expression, actual: Expression) -> Expression:
    return ratio(PARTS["errors"](forecast, actual), PARTS["sizes"](forecast, actual))


def _bias(forecast: Expression, actual: Expression) -> Expression:
    return ratio(PARTS["excess"](forecast, actual), PARTS["actuals"](forecast, actual))


def _count(column: Expression | None = None) -> Expression:
    return call("count", exp.Star() if column is None else column)


def _simple(name: str) -> Callable[[Expression], Expression]:
    return lambda column: call(name, column)


def _if(condition: Expression, then: Expression) -> Expression:
    return exp.Case(ifs=[exp.If(this=condition, true=then.copy())])


def _median(column: Expression) -> Expression:
    # Between two decimals the engine's own is off in the last digits, and no decimal. It is not
    # its aggregate `median`: DuckDB 1.5 never frees what that one holds when it is interrupted.
    return call("list_median", call("list", exp.cast(column, "double")))


def _end(name: str, column: Expression) -> Expression:
    """Give the least or the greatest text: the first of a list of one, for the same reason."""
    one = exp.Literal.number(1)
    return call("list_extract", call(name, column, one), one.copy())


def _stddev(column: Expression) -> Expression:
    """Give it, or null where there are numbers whose squares are none: the engine would fail."""
    column = exp.cast(column, "double")
    small = exp.LT(this=exp.Abs(this=column), expression=_WIDEST_SPREAD)
    spread = call("stddev_samp", _if(small, column))
    return _if(call("bool_and", small.copy()), spread)


def _same(column: Column) -> tuple[str, str]:
    return column.type, column.physical


def _total(column: Column) -> tuple[str, str]:
    scale = column.physical.rpartition(",")[2].removesuffix(")")
    physical = {"integer": "HUGEINT", "decimal": f"DECIMAL(38,{scale})"}
    return column.type, physical.get(column.type, "DOUBLE")


def _integer(*_: Column) -> tuple[str, str]:
    return "integer", "BIGINT"


def _number(*_: Column) -> tuple[str, str]:
    return "number", "DOUBLE"


# What can be asked of one column, by its type; the rest needs two, or none.
_ANY = ("count_distinct",)
_ORDERED = (*_ANY, "min", "max")
_NUMERIC = (*_ORDERED, "sum", "avg", "median", "stddev")
_OF_TYPE: Mapping[str, tuple[str, ...]] = {
    **dict.fromkeys(("integer", "number", "decimal"), _NUMERIC),
    **dict.fromkeys(("string", "boolean", "date", "time", "timestamp"), _ORDERED),
    "binary": _ANY,
}


def functions_of(column: Column) -> tuple[str, ...]:
    """Give the names of the measures that look at one column and can be asked of this one."""
    return _OF_TYPE.get(column.type, ())


def result_of(function: str, *columns: Column) -> str:
    """Give the name of the type that a measure of these columns has."""
    return FUNCTIONS[function].result(*columns)[0]


def is_scalar(column: Column) -> bool:
    """Tell whether its values can be told apart, put in order and grouped by."""
    return column.type in _OF_TYPE


FUNCTIONS: Mapping[str, Function] = {
    "count": Function(0, _count, _integer),
    "count_distinct": Function(
        1, lambda column: call("count", exp.Distinct(expressions=[column])), _integer
    ),
    "sum": Function(1, _simple("sum"), _total),
    "avg": Function(1, _simple("avg"), _number),
    "median": Function(1, _median, _number),
    "stddev": Function(1, _stddev, _number),
    "min": Function(1, _simple("min"), _same),
    "max": Function(1, _simple("max"), _same),
    "mape": Function(2, _mape, _number),
    "wape": Function(2, _wape, _number),
    "bias": Function(2, _bias, _number),
}
