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
ROUNDED = "rounded"  # in a node's meta data: its type is settled


class Exact(NamedTuple):
    """The type of an exact number.

    Attributes:
        scale: Its decimal places.
        is_decimal: False for an integer.
    """

    scale: int
    is_decimal: bool


_SAME = (exp.Paren, exp.Neg, exp.Abs, exp.Sum, exp.Min, exp.Max, exp.Round, exp.AnyValue, exp.Window, exp.Filter)
"""Expressions with the type of their first operand."""

_WIDEST = (exp.Add, exp.Sub, exp.Div, exp.Mod)
"""Operations whose result has the larger scale of their operands."""


def divide(node: exp.Div) -> exp.Expr:
    """Divide a double by zero."""
    if has_type(node.this, *DOUBLES) or has_type(node.expression, *DOUBLES):
        return function_call("DOUBLE_QUOTIENT", node.this, node.expression)
    return node


def round_decimals(tree: exp.Expr) -> bool:
    """Round quotients to the larger scale and averages to theirs, in place; return True if types may have changed.

    DuckDB's are doubles. The columns of subqueries get their types too, because sqlglot does not know that of each
    expression. What reads a rounded column is rounded by the next call, after the types are inferred again.
    """
    quotients = [_round(node) for node in reversed([*tree.find_all(exp.Div, exp.Avg)])]  # inner ones first
    selects = [select for select in tree.find_all(exp.Select) if select.parent]
    columns = [_round(item.unalias()) for select in reversed(selects) for item in select.expressions]
    return any((*quotients, *columns))


def _round(node: exp.Expr) -> bool:
    number = None if isinstance(node, (exp.Cast, exp.Column)) or node.meta.get(ROUNDED) else exact(node)
    if number is None or not number.is_decimal:
        return False
    node.meta[ROUNDED] = True
    while isinstance(node.parent, (exp.Window, exp.Filter)) and node.arg_key == "this":
        node = node.parent
    node.replace(exp.cast(node.copy(), f"DECIMAL({MAX_PRECISION}, {number.scale})"))
    return True


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
