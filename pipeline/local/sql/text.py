"""Text and casts, where Trino and DuckDB differ: each function mends one kind of node."""

import re

from sqlglot import exp

from pipeline.local.sql.node import call, has_type

TIMES = (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ)


def regexp_extract(node: exp.RegexpExtract) -> exp.Expr:
    """No match is null, not the empty text."""
    found = exp.RegexpLike(this=node.this.copy(), expression=node.expression.copy())
    return exp.Case().when(
        found, call("REGEXP_EXTRACT", node.this, node.expression, node.args.get("group") or exp.convert(0))
    )


def regexp_replace(node: exp.RegexpReplace) -> exp.Expr:
    r"""Groups are $1 in Java and \1 in RE2."""
    if (replacement := node.args.get("replacement")) and replacement.is_string:
        node.set("replacement", exp.Literal.string(re.sub(r"\$(\d)", r"\\\1", replacement.name)))
    return node


def split_part(node: exp.SplitPart) -> exp.Expr:
    """Beyond the last part is null, not the empty text."""
    return exp.Bracket(
        this=call("STR_SPLIT", node.this, node.args["delimiter"]), expressions=[node.args["part_index"]], offset=1
    )


def formatted(node: exp.Format) -> exp.Expr:
    """Java's placeholders are C's, more or less; DuckDB's FORMAT has Python's."""
    return call("PRINTF", node.this, *node.expressions)


def cast(node: exp.Cast) -> exp.Expr:
    """To JSON means to encode, not to parse; a time's text always has its milliseconds, and it is always precise."""
    if node.to.is_type(exp.DType.JSON):
        return call("TO_JSON", node.this)
    if node.to.is_type(*TIMES):
        node.to.set("expressions", None)
    if has_type(node.this, *TIMES) and node.to.is_type(exp.DType.VARCHAR, exp.DType.TEXT):
        return call("STRFTIME", node.this, "%Y-%m-%d %H:%M:%S.%g")
    return node
