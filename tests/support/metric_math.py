"""CloudWatch's metric math at one point in time, as far as the template's alarms use it.

A missing operand makes the result missing, except for the functions of an array: these leave it out.
docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/using-metric-math.html
"""

import ast
import operator
import re
from collections.abc import Callable, Mapping
from typing import Any

Value = float | None
"""A value, or None where a metric has none."""

_OPERATORS: Mapping[type[ast.AST], Callable[[Any, Any], float]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Eq: operator.eq,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.And: lambda left, right: bool(left) and bool(right),
    ast.Or: lambda left, right: bool(left) or bool(right),
}


def calculate(expression: str, values: Mapping[str, Value], *, period_seconds: int) -> Value:
    """Return the value of an expression.

    Args:
        expression: The expression.
        values: Values of the metrics at this point, by id.
        period_seconds: The metrics' period.

    Raises:
        ValueError: The expression uses a function or an operator that is not supported here.
    """
    python = re.sub(r"\b(AND|OR)\b", lambda match: match[1].lower(), expression)
    return _Calculation(values, period_seconds).value(ast.parse(python, mode="eval").body)


class _Calculation:
    def __init__(self, values: Mapping[str, Value], period_seconds: int) -> None:
        self._values, self._period_seconds = values, period_seconds

    def value(self, node: ast.expr) -> Value:
        match node:
            case ast.Constant(value=int() | float() as number):
                return number
            case ast.Name(id=name):
                return self._values[name]
            case ast.BinOp(left=left, op=op, right=right) | ast.Compare(left=left, ops=[op], comparators=[right]):
                return self._combined(op, left, right)
            case ast.BoolOp(op=op, values=[left, right]):
                return self._combined(op, left, right)
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return self._call(name, arguments)
        raise ValueError(f"not supported in metric math: {ast.unparse(node)}")

    def _combined(self, op: ast.AST, left: ast.expr, right: ast.expr) -> Value:
        first, second = self.value(left), self.value(right)
        return None if first is None or second is None else float(_OPERATORS[type(op)](first, second))

    def _call(self, name: str, arguments: list[ast.expr]) -> Value:
        match name, arguments:
            case "IF", [condition, then, otherwise]:
                chosen = self.value(condition)
                return None if chosen is None else self.value(then if chosen else otherwise)
            case "SUM", [ast.Call(func=ast.Name(id="METRICS"), args=[])]:
                existing = [value for value in self._values.values() if value is not None]
                return sum(existing) if existing else None
            case "PERIOD", [ast.Name()]:
                return self._period_seconds
        raise ValueError(f"not supported in metric math: {name}")
