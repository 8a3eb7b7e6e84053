"""Parts: figures of a group of rows from which those of larger groups can be made. Expressions."""

from collections.abc import Callable, Mapping

from sqlglot import exp

Expression = exp.Expr

# sqlglot's own word for what is never null.
_ALWAYS = "nonnull"


def call(name: str, *arguments: Expression) -> Expression:
    """Give a call of one of the engine's functions."""
    return exp.Anonymous(this=name, expressions=list(arguments))


def always(cell: Expression) -> Expression:
    """Give a cell that is known in every row: where it is asked for, nobody has to look."""
    cell.meta[_ALWAYS] = True
    return cell


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
    """Give how far a forecast was off, in per cent of the actual; null where that is nought."""
    error = exp.Abs(this=_minus(forecast, actual))
    return times_100(exp.Div(this=error, expression=nonzero(exp.Abs(this=actual.copy()))))


def _minus(left: Expression, right: Expression) -> Expression:
    return exp.Sub(this=left.copy(), expression=right.copy())


def _beside(other: Expression, column: Expression) -> Expression:
    """Give a cell where the other one is known, and null where it is not."""
    if other.meta.get(_ALWAYS):
        return column.copy()
    known = exp.Not(this=exp.Is(this=other.copy(), expression=exp.Null()))
    return exp.Case(ifs=[exp.If(this=known, true=column.copy())])


# What is worked out of the cells of one or two columns; two are a forecast and its actual.
PARTS: Mapping[str, Callable[..., Expression]] = {
    "rows": lambda: call("count", exp.Star()),
    "known": lambda x: call("count", x),
    "sum": lambda x: call("sum", x),
    "min": lambda x: call("min", x),
    "max": lambda x: call("max", x),
    "shares": lambda f, a: call("sum", share(f, a)),
    "shared": lambda f, a: call("count", share(f, a)),
    # An error is null where a cell is: to leave rows out by FILTER takes DuckDB half as long again.
    "errors": lambda f, a: call("sum", exp.Abs(this=_minus(f, a))),
    "sizes": lambda f, a: call("sum", exp.Abs(this=_beside(f, a))),
    "excess": lambda f, a: call("sum", _minus(f, a)),
    "actuals": lambda f, a: call("sum", _beside(f, a)),
}
