"""Divide, average and print numbers as Trino does: a decimal keeps its scale, and a double may be divided by zero.

trino.io/docs/current/functions/decimal.html
"""

from collections.abc import Callable, Iterable
from typing import NamedTuple

from sqlglot import exp

from pipeline.local.sql.node import function_call, has_type

INTEGERS = (exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT, exp.DType.INT128)
DOUBLES = (exp.DType.DOUBLE, exp.DType.FLOAT)
MAX_PRECISION = 38


class Exact(NamedTuple):
    """The type of an exact number.

    Attributes:
        scale: Its decimal places.
        is_decimal: False for an integer.
    """

    scale: int
    is_decimal: bool


_SAME = (exp.Paren, exp.Neg, exp.Abs, exp.Sum, exp.Min, exp.Max, exp.Round, exp.AnyValue, exp.Window)
"""Expressions with the type of their first operand."""

_WIDEST = (exp.Add, exp.Sub, exp.Div, exp.Mod)
"""Operations whose result has the larger scale of their operands."""


def divide(node: exp.Div) -> exp.Expr:
    """Round a quotient of decimals to the larger scale, and divide a double by zero."""
    if has_type(node.this, *DOUBLES) or has_type(node.expression, *DOUBLES):
        return function_call("DOUBLE_QUOTIENT", node.this, node.expression)
    return _rounded(node)


def average(node: exp.Avg) -> exp.Expr:
    """Round an average of decimals to their scale. DuckDB's is a double."""
    return _rounded(node)


def _rounded(node: exp.Div | exp.Avg) -> exp.Expr:
    number = exact(node)
    if number is None or not number.is_decimal:
        return node
    return exp.cast(node.copy(), f"DECIMAL({MAX_PRECISION}, {number.scale})")


def exact(node: exp.Expr) -> Exact | None:
    """Return the type of an exact number in Trino; None for other values, and where the type is not known."""
    match node:
        case exp.Cast():
            return _exact_type(node.to)
        case exp.Avg():
            number = exact(node.this)
            return number if number and number.is_decimal else None
        case exp.Mul():
            return _combined((node.this, node.expression), sum)
        case exp.If():
            return _combined((node.args[name] for name in ("true", "false") if node.args.get(name)), max)
        case exp.Coalesce():
            return _combined((node.this, *node.expressions), max)
        case _ if isinstance(node, _WIDEST):
            return _combined((node.this, node.expression), max)
        case _ if isinstance(node, _SAME):
            return exact(node.this)
    return _exact_type(node.type)


def _combined(nodes: Iterable[exp.Expr], scale: Callable[[list[int]], int]) -> Exact | None:
    numbers = [exact(node) for node in nodes if not isinstance(node, exp.Null)]
    known = [number for number in numbers if number]
    if not known or len(known) < len(numbers):
        return None
    return Exact(scale([number.scale for number in known]), any(number.is_decimal for number in known))


def _exact_type(type_: exp.DataType | None) -> Exact | None:
    if type_ is None:
        return None
    if type_.is_type(*INTEGERS):
        return Exact(0, is_decimal=False)
    if type_.is_type(exp.DType.DECIMAL) and type_.expressions:
        return Exact(int(type_.expressions[-1].name) if len(type_.expressions) > 1 else 0, is_decimal=True)
    return None
