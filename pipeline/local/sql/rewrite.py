"""Where Trino's SQL means something else than what sqlglot makes of it for DuckDB: mended here, node by node.

Functions that DuckDB lacks and that need no more than an expression are in functions.sql.

Not covered: MATCH_RECOGNIZE, approx_most_frequent and the sketches (hyperloglog, tdigest, qdigest), map_zip_with,
geospatial functions, and Java's look-arounds in regular expressions (DuckDB's are RE2's). More lenient than Trino: text
compares with times and numbers, and what is out of an array or a map gives null rather than an error. A time moved to
another zone loses its zone: it shows and truncates as there, but must not be compared with times that have one.
trino.io/docs/current/functions.html

UNNEST as Trino means it: rows are spread over columns, maps over two, and several arrays run side by side.

DuckDB's takes one list and gives one column. What an array holds is known by its type; where that is unknown, by how
many columns the statement names. trino.io/docs/current/sql/select.html#unnest

JSON, arrays, maps and rows, where Trino and DuckDB differ: each function mends one kind of node.
"""

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from pipeline.local.sql import rewrite_scalars
from pipeline.local.sql.node import function_call


def expand_unnest(unnest: exp.Unnest) -> exp.Expr:
    """Return one of Trino's UNNESTs as a table expression of DuckDB's."""
    arrays = unnest.expressions
    alias, offset = unnest.args.get("alias"), unnest.args.get("offset")
    names = list(alias.columns) if alias else []
    kinds = [_kind(array, len(names) if len(arrays) == 1 else 1) for array in arrays]
    if kinds == ["value"]:
        return unnest
    elements = [exp.column(f"_{number}") for number in range(len(arrays))]
    inner = exp.select(
        *(exp.alias_(_listed(array, kind), f"_{n}") for n, (array, kind) in enumerate(zip(arrays, kinds, strict=True)))
    )
    outer = exp.select(
        *(column for element, kind in zip(elements, kinds, strict=True) for column in _columns(element, kind))
    )
    if offset:
        inner = inner.select(exp.alias_(_numbers(arrays), "_n"))
        outer = outer.select("_n")
        names = [*names, offset] if isinstance(offset, exp.Identifier) else []
    table = exp.TableAlias(this=alias.this, columns=names) if alias else None
    return exp.Lateral(this=outer.from_(inner.subquery("_")).subquery(), alias=table)


def _kind(array: exp.Expr, names: int) -> str:
    """Tell whether an array's elements are rows, a map's entries, or plain values."""
    type_ = array.type
    if type_ and type_.is_type(exp.DType.MAP):
        return "entry"
    if type_ and type_.is_type(exp.DType.ARRAY) and type_.expressions:
        return "row" if type_.expressions[0].is_type(exp.DType.STRUCT) else "value"
    return "row" if names > 1 else "value"


def _listed(array: exp.Expr, kind: str) -> exp.Expr:
    return function_call("UNNEST", function_call("MAP_ENTRIES", array.copy()) if kind == "entry" else array.copy())


def _columns(element: exp.Column, kind: str) -> list[exp.Expr]:
    match kind:
        case "entry":
            return [exp.Dot(this=element.copy(), expression=exp.to_identifier(part)) for part in ("key", "value")]
        case "row":
            return [function_call("UNNEST", element)]
        case _:
            return [element]


def _numbers(arrays: list[exp.Expr]) -> exp.Expr:
    """Return 1, 2, 3 … to the end of the longest array."""
    lengths = [function_call("CARDINALITY", array.copy()) for array in arrays]
    longest = function_call("GREATEST", *lengths) if len(lengths) > 1 else lengths[0]
    return function_call("UNNEST", function_call("RANGE", exp.Literal.number(1), exp.cast(longest, "BIGINT") + 1))


NodeRewriter = Callable[[Any], exp.Expr]


def json_scalar(node: exp.JSONExtractScalar) -> exp.Expr:
    """Text that is no JSON gives null, and so does what is an object or an array."""
    return function_call("JSON_SCALAR", node.this, _json_path(node))


def json_extract(node: exp.JSONExtract) -> exp.Expr:
    """Text that is no JSON gives null."""
    return function_call("TRY", function_call("JSON_EXTRACT", node.this, _json_path(node)))


def _json_path(node: exp.JSONExtract | exp.JSONExtractScalar) -> exp.Expr:
    return exp.Literal.string(node.expression.sql(dialect="duckdb").strip("'"))


def cardinality(node: exp.ArraySize) -> exp.Expr:
    """Maps have one too, unlike what sqlglot makes of it."""
    return function_call("CARDINALITY", node.this)


def sliced(node: exp.ArraySlice) -> exp.Expr:
    """Trino's takes a start and a length, DuckDB's a start and an end."""
    start, length = node.args["start"], node.args["end"]
    return function_call("ARRAY_SLICE", node.this, start, exp.paren(start.copy() + length - 1))


def distinct(node: exp.ApproxDistinct) -> exp.Expr:
    """The accuracy cannot be asked for here."""
    return exp.ApproxDistinct(this=node.this)


def quantile(node: exp.ApproxQuantile) -> exp.Expr:
    """One quantile or an array of them; the type is that of the values."""
    return function_call("APPROX_QUANTILE", node.this, node.args["quantile"])


def match_by_count(compared: Callable[[exp.Expr, exp.Expr], exp.Expr]) -> NodeRewriter:
    """Return the mend of any_match, all_match or none_match: by how many elements pass."""

    def mend_match(node: exp.Anonymous) -> exp.Expr:
        array, test = node.expressions
        passing = function_call("CARDINALITY", exp.ArrayFilter(this=array.copy(), expression=test))
        return exp.paren(compared(passing, function_call("CARDINALITY", array)))

    return mend_match


def reduced(node: exp.Reduce) -> exp.Expr:
    """DuckDB's has no last step: that is a transform of the one result."""
    finish = node.args.pop("finish")
    return exp.Bracket(
        this=exp.Transform(this=exp.array(node.copy()), expression=finish), expressions=[exp.convert(1)], offset=1
    )


def map_filtered(node: exp.Anonymous) -> exp.Expr:
    """A map is filtered as the list of its entries."""
    entries, test = function_call("MAP_ENTRIES", node.expressions[0]), _of_entry(node.expressions[1])
    return function_call("MAP_FROM_ENTRIES", exp.ArrayFilter(this=entries, expression=test))


def values_transformed(node: exp.Anonymous) -> exp.Expr:
    """A map's values are transformed as the list of its entries."""
    map_, change = node.expressions
    values = exp.Transform(this=function_call("MAP_ENTRIES", map_.copy()), expression=_of_entry(change))
    return function_call("MAP_FROM_LISTS", function_call("MAP_KEYS", map_), values)


def _of_entry(function: exp.Lambda) -> exp.Lambda:
    """Return a function of key and value as one of an entry."""
    parts = dict(zip((parameter.name for parameter in function.expressions), ("key", "value"), strict=True))

    def replaced(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Identifier) and node.name in parts:
            return exp.Dot(this=exp.to_identifier("entry"), expression=exp.to_identifier(parts[node.name]))
        return node

    return exp.Lambda(this=function.this.transform(replaced), expressions=[exp.to_identifier("entry")])


def row_constructor(node: exp.Struct) -> exp.Expr:
    """A row's fields have no names."""
    return function_call("ROW", *node.expressions)


Rewriter = Callable[[Any], exp.Expr]

# A name that only Trino has, and DuckDB's for the same.
RENAMED = {
    "arrays_overlap": "LIST_HAS_ANY",
    "codepoint": "ORD",
    "day_of_month": "DAYOFMONTH",
    "day_of_year": "DAYOFYEAR",
    "every": "BOOL_AND",
    "json_format": "JSON_TEXT",
    "last_day_of_month": "LAST_DAY",
    "levenshtein_distance": "LEVENSHTEIN",
    "normalize": "NFC_NORMALIZE",
    "rand": "RANDOM",
    "regexp_split": "REGEXP_SPLIT_TO_ARRAY",
    "year_of_week": "ISOYEAR",
    "yow": "ISOYEAR",
    "zip": "LIST_ZIP",
}


def rewrite(tree: exp.Expr) -> exp.Expr:
    """Return the tree of a query in Trino's SQL so that DuckDB's text of it means the same; the tree is used up."""
    for node in reversed(list(tree.walk())):  # children first: what replaces a node is not looked at again
        mend_node = MENDS.get(type(node)) or (type(node) is exp.Anonymous and MENDS_BY_NAME.get(node.name.lower()))
        if mend_node and (mended := mend_node(node)) is not node:
            mended.type = node.type
            node.replace(mended)
    return tree


def _names(select: exp.Select) -> exp.Expr:
    """Name columns that have none as Athena does: _col0, _col1, … by place."""
    for number, column in enumerate(select.expressions):
        if not isinstance(column, (exp.Alias, exp.Column, exp.Star)):
            name = column.name if isinstance(column, exp.Dot) else f"_col{number}"
            column.replace(exp.alias_(column.copy(), name))
    return select


def _renamed(node: exp.Anonymous) -> exp.Expr:
    return function_call(RENAMED[node.name.lower()], *node.expressions)


MENDS: dict[type[exp.Expr], Rewriter] = {
    exp.Add: rewrite_scalars.shifted,
    exp.ApproxDistinct: distinct,
    exp.ApproxQuantile: quantile,
    exp.ArraySize: cardinality,
    exp.ArraySlice: sliced,
    exp.AtTimeZone: rewrite_scalars.in_zone,
    exp.Cast: rewrite_scalars.cast,
    exp.DateAdd: rewrite_scalars.of_date,
    exp.DateDiff: rewrite_scalars.date_diff,
    exp.DateTrunc: rewrite_scalars.of_date,
    exp.Extract: rewrite_scalars.extracted,
    exp.Format: rewrite_scalars.formatted,
    exp.GenerateSeries: rewrite_scalars.sequence,
    exp.JSONExtract: json_extract,
    exp.JSONExtractScalar: json_scalar,
    exp.ParseDatetime: rewrite_scalars.joda_parsed,
    exp.Reduce: reduced,
    exp.RegexpExtract: rewrite_scalars.regexp_extract,
    exp.RegexpReplace: rewrite_scalars.regexp_replace,
    exp.Select: _names,
    exp.SplitPart: rewrite_scalars.split_part,
    exp.Struct: row_constructor,
    exp.Sub: rewrite_scalars.shifted,
    exp.TimestampTrunc: rewrite_scalars.of_date,
    exp.TryCast: rewrite_scalars.cast,
    exp.Unnest: expand_unnest,
}

MENDS_BY_NAME: dict[str, Rewriter] = {
    "all_match": match_by_count(lambda passing, all_: exp.EQ(this=passing, expression=all_)),
    "any_match": match_by_count(lambda passing, _: exp.GT(this=passing, expression=exp.convert(0))),
    "none_match": match_by_count(lambda passing, _: exp.EQ(this=passing, expression=exp.convert(0))),
    "at_timezone": lambda node: function_call(
        "TIMEZONE", node.expressions[1], exp.cast(node.expressions[0], "TIMESTAMPTZ")
    ),
    "with_timezone": lambda node: function_call("TIMEZONE", node.expressions[1], node.expressions[0]),
    "format_datetime": rewrite_scalars.joda_formatted,
    "map_filter": map_filtered,
    "transform_values": values_transformed,
    **dict.fromkeys(RENAMED, _renamed),
}
