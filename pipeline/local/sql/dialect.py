"""Where Trino's SQL means something else than what sqlglot makes of it for DuckDB: mended here, node by node.

Functions that DuckDB lacks and that need no more than an expression are in functions.sql.

Not covered: MATCH_RECOGNIZE, approx_most_frequent and the sketches (hyperloglog, tdigest, qdigest), map_zip_with,
geospatial functions, and Java's look-arounds in regular expressions (DuckDB's are RE2's). More lenient than Trino: text
compares with times and numbers, and what is out of an array or a map gives null rather than an error. A time moved to
another zone loses its zone: it shows and truncates as there, but must not be compared with times that have one.
trino.io/docs/current/functions.html
"""

from collections.abc import Callable
from typing import Any

from sqlglot import exp

from pipeline.local.sql import nested, text, times
from pipeline.local.sql.node import call
from pipeline.local.sql.unnest import spread

Mend = Callable[[Any], exp.Expr]

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


def mend(tree: exp.Expr) -> exp.Expr:
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
    return call(RENAMED[node.name.lower()], *node.expressions)


MENDS: dict[type[exp.Expr], Mend] = {
    exp.Add: times.shifted,
    exp.ApproxDistinct: nested.distinct,
    exp.ApproxQuantile: nested.quantile,
    exp.ArraySize: nested.cardinality,
    exp.ArraySlice: nested.sliced,
    exp.AtTimeZone: times.in_zone,
    exp.Cast: text.cast,
    exp.DateAdd: times.of_date,
    exp.DateDiff: times.date_diff,
    exp.DateTrunc: times.of_date,
    exp.Extract: times.extracted,
    exp.Format: text.formatted,
    exp.GenerateSeries: times.sequence,
    exp.JSONExtract: nested.json_extract,
    exp.JSONExtractScalar: nested.json_scalar,
    exp.ParseDatetime: times.joda_parsed,
    exp.Reduce: nested.reduced,
    exp.RegexpExtract: text.regexp_extract,
    exp.RegexpReplace: text.regexp_replace,
    exp.Select: _names,
    exp.SplitPart: text.split_part,
    exp.Struct: nested.row,
    exp.Sub: times.shifted,
    exp.TimestampTrunc: times.of_date,
    exp.TryCast: text.cast,
    exp.Unnest: spread,
}

MENDS_BY_NAME: dict[str, Mend] = {
    "all_match": nested.counted(lambda passing, all_: exp.EQ(this=passing, expression=all_)),
    "any_match": nested.counted(lambda passing, _: exp.GT(this=passing, expression=exp.convert(0))),
    "none_match": nested.counted(lambda passing, _: exp.EQ(this=passing, expression=exp.convert(0))),
    "at_timezone": lambda node: call("TIMEZONE", node.expressions[1], exp.cast(node.expressions[0], "TIMESTAMPTZ")),
    "with_timezone": lambda node: call("TIMEZONE", node.expressions[1], node.expressions[0]),
    "format_datetime": times.joda_formatted,
    "map_filter": nested.map_filtered,
    "transform_values": nested.values_transformed,
    **dict.fromkeys(RENAMED, _renamed),
}
