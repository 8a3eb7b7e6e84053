"""Parts: figures of a group of rows from which those of larger groups can be made. Expressions."""

from collections.abc import Callable, Mapping

from sqlglot import exp

Expression = exp.Expr


def call(name: str, *arguments: Expression) -> Expression:
    """Give a call of one of the engine's functions."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def ratio(part: Expression, whole: Expression) -> Expression:
    """Give ``part / whole * 100``, null where there is nothing to divide by."""
    return times_100(exp.Div(this=part, expression=nonzero(whole)))


def times_100(share: Expression) -> Expression:
    """Give a share in per cent."""
    return exp.Mul(this=share, expression=exp.Literal.number(100))


def nonzero(number: Expression) -> Expression:
    """Give a number, or null for nought."""
    return exp.Nullif(this=number, expression=exp.Literal.number(0))


def share(forecast: Expression, actual: Expression) -> Expression:
    """Give how far a forecast was off, in per cent of the actual."""
    error = exp.Abs(this=_minus(forecast, actual))
    return times_100(exp.Div(this=error, expression=exp.Abs(this=actual.copy())))


def where_nonzero(aggregate: Expression, column: Expression) -> Expression:
    """Give a figure of the rows in which a column is not nought."""
    return _where(aggregate, exp.NEQ(this=column.copy(), expression=exp.Literal.number(0)))


def _of_known(aggregate: Expression, forecast: Expression, actual: Expression) -> Expression:
    return _where(aggregate, exp.and_(_known(forecast), _known(actual)))


def _minus(left: Expression, right: Expression) -> Expression:
    return exp.Sub(this=left.copy(), expression=right.copy())


def _where(aggregate: Expression, condition: Expression) -> Expression:
    return exp.Filter(this=aggregate, expression=exp.Where(this=condition))


def _known(column: Expression) -> Expression:
    return exp.Not(this=exp.Is(this=column.copy(), expression=exp.Null()))


# What is worked out of the cells of one or two columns; two are a forecast and its actual.
PARTS: Mapping[str, Callable[..., Expression]] = {
    "rows": lambda: call("count", exp.Star()),
    "known": lambda x: call("count", x),
    "sum": lambda x: call("sum", x),
    "min": lambda x: call("min", x),
    "max": lambda x: call("max", x),
    "shares": lambda f, a: where_nonzero(call("sum", share(f, a)), a),
    "shared": lambda f, a: where_nonzero(call("count", share(f, a)), a),
    "errors": lambda f, a: _of_known(call("sum", exp.Abs(this=_minus(f, a))), f, a),
    "sizes": lambda f, a: _of_known(call("sum", exp.Abs(this=a.copy())), f, a),
    "excess": lambda f, a: _of_known(call("sum", _minus(f, a)), f, a),
    "actuals": lambda f, a: _of_known(call("sum", a.copy()), f, a),
}
