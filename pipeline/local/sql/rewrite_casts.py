"""Rewriters for casts: what Trino takes for a number, a date or a time, and the text that it makes of a value.

trino.io/docs/current/functions/conversion.html
"""

from sqlglot import exp

from pipeline.local.sql.node import function_call, has_type
from pipeline.local.sql.rewrite_scalars import TIMES, text_of

TEXTS = (exp.DType.VARCHAR, exp.DType.TEXT)
INTEGERS = (exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT)

# By the type that text is cast to: the macro that tells whether it has the right form, and that form in words.
FORMS = (
    (INTEGERS, "IS_INTEGER_TEXT", "a whole number"),
    ((exp.DType.DATE,), "IS_DATE_TEXT", "a date like 2026-03-01"),
    (TIMES, "IS_TIME_TEXT", "a time like 2026-03-01 12:00:00: use from_iso8601_timestamp for one with T and Z"),
)


def cast(node: exp.Cast) -> exp.Expr:
    """Encode to JSON rather than parse it, print values as Trino does, and take text only in the type's own form."""
    if node.to.is_type(exp.DType.JSON):
        return function_call("TO_JSON", node.this)
    if node.to.is_type(*TIMES):
        node.to.set("expressions", None)
    if node.to.is_type(*TEXTS):
        return _shortened(text_of(node.this), node.to)
    if node.to.is_type(*INTEGERS) and has_type(node.this, exp.DType.DOUBLE, exp.DType.FLOAT):
        node.set("this", function_call("ROUND", node.this.copy()))  # half up; DuckDB rounds half to even
    elif has_type(node.this, *TEXTS):
        node.set("this", _checked(node))
    return node


def date(node: exp.Date) -> exp.Expr:
    """Do the same as a cast to a date."""
    return cast(exp.cast(node.this.copy(), "DATE")) if not node.expressions else node


def _checked(node: exp.Cast) -> exp.Expr:
    """Return the text of a cast, with a check of its form."""
    for types, macro, form in FORMS:
        if node.to.is_type(*types):
            is_valid = function_call(macro, node.this.copy())
            if isinstance(node, exp.TryCast):
                return function_call("CHECKED_OR_NULL", node.this.copy(), is_valid)
            return function_call("CHECKED_OR_ERROR", node.this.copy(), is_valid, form)
    text: exp.Expr = node.this
    return text


def _shortened(text: exp.Expr, to: exp.DataType) -> exp.Expr:
    """Return a text of at most the type's length."""
    return function_call("LEFT", text, to.expressions[0].this) if to.expressions else text
