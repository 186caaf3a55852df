"""JSON, arrays, maps and rows, where Trino and DuckDB differ: each function mends one kind of node."""

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from pipeline.local.sql.node import call

Mend = Callable[[Any], exp.Expr]


def json_scalar(node: exp.JSONExtractScalar) -> exp.Expr:
    """Text that is no JSON gives null, and so does what is an object or an array."""
    return call("JSON_SCALAR", node.this, _json_path(node))


def json_extract(node: exp.JSONExtract) -> exp.Expr:
    """Text that is no JSON gives null."""
    return call("TRY", call("JSON_EXTRACT", node.this, _json_path(node)))


def _json_path(node: exp.JSONExtract | exp.JSONExtractScalar) -> exp.Expr:
    return exp.Literal.string(node.expression.sql(dialect="duckdb").strip("'"))


def cardinality(node: exp.ArraySize) -> exp.Expr:
    """Maps have one too, unlike what sqlglot makes of it."""
    return call("CARDINALITY", node.this)


def sliced(node: exp.ArraySlice) -> exp.Expr:
    """Trino's takes a start and a length, DuckDB's a start and an end."""
    start, length = node.args["start"], node.args["end"]
    return call("ARRAY_SLICE", node.this, start, exp.paren(start.copy() + length - 1))


def distinct(node: exp.ApproxDistinct) -> exp.Expr:
    """The accuracy cannot be asked for here."""
    return exp.ApproxDistinct(this=node.this)


def quantile(node: exp.ApproxQuantile) -> exp.Expr:
    """One quantile or an array of them; the type is that of the values."""
    return call("APPROX_QUANTILE", node.this, node.args["quantile"])


def counted(compared: Callable[[exp.Expr, exp.Expr], exp.Expr]) -> Mend:
    """Return the mend of any_match, all_match or none_match: by how many elements pass."""

    def mend_match(node: exp.Anonymous) -> exp.Expr:
        array, test = node.expressions
        passing = call("CARDINALITY", exp.ArrayFilter(this=array.copy(), expression=test))
        return exp.paren(compared(passing, call("CARDINALITY", array)))

    return mend_match


def reduced(node: exp.Reduce) -> exp.Expr:
    """DuckDB's has no last step: that is a transform of the one result."""
    finish = node.args.pop("finish")
    return exp.Bracket(
        this=exp.Transform(this=exp.array(node.copy()), expression=finish), expressions=[exp.convert(1)], offset=1
    )


def map_filtered(node: exp.Anonymous) -> exp.Expr:
    """A map is filtered as the list of its entries."""
    entries, test = call("MAP_ENTRIES", node.expressions[0]), _of_entry(node.expressions[1])
    return call("MAP_FROM_ENTRIES", exp.ArrayFilter(this=entries, expression=test))


def values_transformed(node: exp.Anonymous) -> exp.Expr:
    """A map's values are transformed as the list of its entries."""
    map_, change = node.expressions
    values = exp.Transform(this=call("MAP_ENTRIES", map_.copy()), expression=_of_entry(change))
    return call("MAP_FROM_LISTS", call("MAP_KEYS", map_), values)


def _of_entry(function: exp.Lambda) -> exp.Lambda:
    """Return a function of key and value as one of an entry."""
    parts = dict(zip((parameter.name for parameter in function.expressions), ("key", "value"), strict=True))

    def replaced(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Identifier) and node.name in parts:
            return exp.Dot(this=exp.to_identifier("entry"), expression=exp.to_identifier(parts[node.name]))
        return node

    return exp.Lambda(this=function.this.transform(replaced), expressions=[exp.to_identifier("entry")])


def row(node: exp.Struct) -> exp.Expr:
    """A row's fields have no names."""
    return call("ROW", *node.expressions)
