"""Refuse operations on types that Trino does not mix, and DuckDB does: text with numbers, times and booleans.

Only types that are known for certain count. A string literal is text: it does not become a time or a number there.
trino.io/docs/current/language/types.html
"""

from collections.abc import Callable, Iterator

from sqlglot import exp

from pipeline.errors import UsageError

_GROUPS = {
    "a text": (exp.DType.VARCHAR, exp.DType.TEXT, exp.DType.CHAR),
    "a number": (
        *(exp.DType.TINYINT, exp.DType.SMALLINT, exp.DType.INT, exp.DType.BIGINT),
        *(exp.DType.DECIMAL, exp.DType.DOUBLE, exp.DType.FLOAT),
    ),
    "a boolean": (exp.DType.BOOLEAN,),
    "a time": (exp.DType.DATE, exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ, exp.DType.TIMESTAMPTZ),
}
_COMPARISONS = (exp.EQ, exp.NEQ, exp.GT, exp.GTE, exp.LT, exp.LTE)
_DIGESTS = (exp.MD5, exp.MD5Digest, exp.SHA, exp.SHA1Digest, exp.SHA2, exp.SHA2Digest)


def refuse_types(tree: exp.Expr) -> None:
    """Check the types in an annotated tree.

    Raises:
        UsageError: An operation mixes types that Trino does not mix. The message says what to write.
    """
    for types, problem in _CHECKS:
        for node in tree.find_all(*types):
            if text := problem(node):
                raise UsageError(f"Athena does not have {text}")


def _group(node: exp.Expr | None) -> str:
    """Return the group of an expression's type; "" if it is not known for certain."""
    if node is None or node.type is None or isinstance(node, exp.Null):
        return ""
    return next((name for name, types in _GROUPS.items() if node.type.is_type(*types)), "")


def _mixed(left: exp.Expr, others: Iterator[exp.Expr]) -> str:
    group = _group(left)
    other = next((found for found in map(_group, others) if group and found and found != group), "")
    if not other:
        return ""
    remedy = "write TIMESTAMP '…' or DATE '…'" if "a time" in {group, other} else "write a CAST"
    return f"a comparison of {group} with {other}: {remedy}"


def _comparison(node: exp.Binary) -> str:
    return _mixed(node.this, iter((node.expression,)))


def _range(node: exp.Between) -> str:
    return _mixed(node.this, iter((node.args["low"], node.args["high"])))


def _membership(node: exp.In) -> str:
    return _mixed(node.this, iter(node.expressions))


def _concatenation(node: exp.DPipe | exp.Concat) -> str:
    parts = node.expressions if isinstance(node, exp.Concat) else (node.this, node.expression)
    groups = {_group(part) for part in parts}
    wrong = next(iter(groups - {"", "a text"}), "")
    return f"a concatenation of a text with {wrong}: write CAST(x AS varchar)" if wrong and "a text" in groups else ""


def _arithmetic(node: exp.Binary) -> str:
    groups = {_group(node.this), _group(node.expression)}
    if groups == {"a time", "a number"}:
        return "a date plus or minus a number: write date_add('day', n, x), or x + INTERVAL '1' DAY"
    return "arithmetic with a text: write a CAST" if groups == {"a text", "a number"} else ""


def _digest(node: exp.Expr) -> str:
    is_text = _group(node.this) == "a text"
    return "a digest of a text, such as sha256(x): write sha256(to_utf8(x))" if is_text else ""


_CHECKS: tuple[tuple[tuple[type[exp.Expr], ...], Callable[..., str]], ...] = (
    (_COMPARISONS, _comparison),
    ((exp.Between,), _range),
    ((exp.In,), _membership),
    ((exp.DPipe, exp.Concat), _concatenation),
    ((exp.Add, exp.Sub, exp.Mul, exp.Div, exp.Mod), _arithmetic),
    (_DIGESTS, _digest),
)
