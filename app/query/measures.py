"""The measures: figures over many rows, each as an expression and the type of its result."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from app.dataset import Column

Expression = exp.Expr


@dataclass(frozen=True, slots=True)
class Function:
    """One measure: how many columns it looks at, what it computes, what type comes out."""

    columns: int
    expression: Callable[..., Expression]
    result: Callable[..., str]


def _call(name: str, *arguments: Expression) -> Expression:
    return exp.Anonymous(this=name, expressions=list(arguments))


def _minus(left: Expression, right: Expression) -> Expression:
    return exp.Sub(this=left.copy(), expression=right.copy())


def _times(left: Expression, right: Expression) -> Expression:
    return exp.Mul(this=left, expression=right)


def _ratio(part: Expression, whole: Expression) -> Expression:
    """Give ``part / whole * 100``, null where there is nothing to divide by."""
    whole = exp.Nullif(this=whole, expression=exp.Literal.number(0))
    return _times(exp.Div(this=part, expression=whole), exp.Literal.number(100))


def _where(aggregate: Expression, condition: Expression) -> Expression:
    return exp.Filter(this=aggregate, expression=exp.Where(this=condition))


def _known(column: Expression) -> Expression:
    return exp.Not(this=exp.Is(this=column.copy(), expression=exp.Null()))


def _mape(forecast: Expression, actual: Expression) -> Expression:
    nonzero = exp.NEQ(this=actual.copy(), expression=exp.Literal.number(0))
    error = exp.Abs(this=_minus(forecast, actual))
    share = _times(
        exp.Div(this=error, expression=exp.Abs(this=actual.copy())), exp.Literal.number(100)
    )
    return _where(_call("avg", share), nonzero)


def _wape(forecast: Expression, actual: Expression) -> Expression:
    both = exp.and_(_known(forecast), _known(actual))
    error = _where(_call("sum", exp.Abs(this=_minus(forecast, actual))), both)
    return _ratio(error, _where(_call("sum", exp.Abs(this=actual.copy())), both.copy()))


def _bias(forecast: Expression, actual: Expression) -> Expression:
    both = exp.and_(_known(forecast), _known(actual))
    error = _where(_call("sum", _minus(forecast, actual)), both)
    return _ratio(error, _where(_call("sum", actual.copy()), both.copy()))


def _count(column: Expression | None = None) -> Expression:
    return _call("count", exp.Star() if column is None else column)


def _simple(name: str) -> Callable[[Expression], Expression]:
    return lambda column: _call(name, column)


def _same(column: Column) -> str:
    return column.type


def _integer(*_: Column) -> str:
    return "integer"


def _number(*_: Column) -> str:
    return "number"


FUNCTIONS: Mapping[str, Function] = {
    "count": Function(0, _count, _integer),
    "count_distinct": Function(
        1, lambda column: _call("count", exp.Distinct(expressions=[column])), _integer
    ),
    "sum": Function(1, _simple("sum"), _same),
    "avg": Function(1, _simple("avg"), _number),
    "min": Function(1, _simple("min"), _same),
    "max": Function(1, _simple("max"), _same),
    "mape": Function(2, _mape, _number),
    "wape": Function(2, _wape, _number),
    "bias": Function(2, _bias, _number),
}
