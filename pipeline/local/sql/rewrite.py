"""Rewrite a syntax tree of Trino's SQL where sqlglot's DuckDB text of it would mean something else.

Claims: the functions and forms in `REWRITERS`, `REWRITERS_BY_NAME` and `functions.sql`. The latter defines functions
that DuckDB lacks and that need only an expression.
Leaves out: MATCH_RECOGNIZE, approx_most_frequent and the sketches (hyperloglog, tdigest, qdigest), map_zip_with,
geospatial functions, and Java's look-arounds in regular expressions, which RE2 lacks. A time that is moved to another
zone in a subquery compares outside it as a time without a zone. Rows that are no constructors compare with their nulls
as if these were values.
trino.io/docs/current/functions.html
"""

from sqlglot import exp

from pipeline.local.sql import rewrite_casts, rewrite_nested, rewrite_numbers, rewrite_scalars
from pipeline.local.sql.node import Rewriter, function_call

# Trino's function names, and DuckDB's for the same function.
RENAMED = {
    "arrays_overlap": "ARRAYS_OVERLAP_OR_NULL",
    "codepoint": "ORD",
    "day_of_month": "DAYOFMONTH",
    "day_of_year": "DAYOFYEAR",
    "every": "BOOL_AND",
    "json_array_length": "JSON_LIST_LENGTH",
    "json_format": "JSON_TEXT",
    "last_day_of_month": "LAST_DAY",
    "levenshtein_distance": "LEVENSHTEIN",
    "millisecond": "MILLISECOND_OF_SECOND",
    "normalize": "NFC_NORMALIZE",
    "rand": "RANDOM",
    "regexp_split": "REGEXP_SPLIT_TO_ARRAY",
    "to_base": "BASE_TEXT",
    "url_decode": "URL_TEXT",
    "year_of_week": "ISOYEAR",
    "yow": "ISOYEAR",
    "zip": "LIST_ZIP",
}


def rewrite(tree: exp.Expr) -> exp.Expr:
    """Return the tree of a query in Trino's SQL, rewritten for DuckDB. The tree is changed in place."""
    for node in reversed(list(tree.walk())):  # children first: a replacement is not visited again
        rewriter = REWRITERS.get(type(node))
        if type(node) is exp.Anonymous:
            rewriter = REWRITERS_BY_NAME.get(node.name.lower())
        if rewriter and (replacement := rewriter(node)) is not node:
            replacement.type = node.type
            node.replace(replacement)
    return tree


def _name_columns(select: exp.Select) -> exp.Expr:
    """Name unnamed columns by their position, as Athena does: `_col0`, `_col1` and so on."""
    if select.parent is None:
        _print_zones(select)
    for number, column in enumerate(select.expressions):
        if not isinstance(column, (exp.Alias, exp.Column, exp.Star)):
            name = column.name if isinstance(column, exp.Dot) else f"_col{number}"
            column.replace(exp.alias_(column.copy(), name))
    return select


def _print_zones(select: exp.Select) -> None:
    """Print times in a zone with that zone, where they are results."""
    for column in select.expressions:
        value = column.unalias()
        if (text := rewrite_scalars.printed(value)) is not value:
            value.replace(text)


def _rename(node: exp.Anonymous) -> exp.Expr:
    return function_call(RENAMED[node.name.lower()], *node.expressions)


def _compare_rows(node: exp.EQ | exp.NEQ | exp.In) -> exp.Expr:
    """Compare rows by their fields, so that a null decides as in Trino. DuckDB takes nulls in rows for equal."""
    rows = rewrite_nested.rows_compared(node)
    if not rows:
        return node if isinstance(node, exp.In) else rewrite_scalars.compare(node)
    first, *others = rows
    equal = exp.paren(exp.or_(*(exp.and_(*map(_equal, first, other)) for other in others)))
    return exp.not_(equal) if isinstance(node, exp.NEQ) else equal


def _equal(one: exp.Expr, other: exp.Expr) -> exp.Expr:
    return _compare_rows(exp.EQ(this=one.copy(), expression=other.copy()))


COMPARISONS = (exp.EQ, exp.GT, exp.GTE, exp.LT, exp.LTE, exp.NEQ)

REWRITERS: dict[type[exp.Expr], Rewriter] = {
    **dict.fromkeys(COMPARISONS, rewrite_scalars.compare),
    **dict.fromkeys((exp.EQ, exp.NEQ, exp.In), _compare_rows),
    exp.Add: rewrite_scalars.shift_date,
    exp.ApproxDistinct: rewrite_scalars.approx_distinct,
    exp.ApproxQuantile: rewrite_scalars.approx_percentile,
    exp.ArgMax: rewrite_scalars.max_by,
    exp.ArgMin: rewrite_scalars.min_by,
    exp.ArrayContains: rewrite_nested.contains,
    exp.ArrayDistinct: rewrite_nested.array_distinct,
    exp.ArrayPosition: rewrite_nested.array_position,
    exp.ArraySize: rewrite_nested.cardinality,
    exp.ArraySlice: rewrite_nested.slice_array,
    exp.AtTimeZone: rewrite_scalars.at_time_zone,
    exp.Bracket: rewrite_nested.subscript,
    exp.Cast: rewrite_casts.cast,
    exp.Date: rewrite_casts.date,
    exp.DateAdd: rewrite_scalars.keep_date,
    exp.DateDiff: rewrite_scalars.date_diff,
    exp.DateTrunc: rewrite_scalars.keep_date,
    exp.Div: rewrite_numbers.divide,
    exp.Extract: rewrite_scalars.extract_field,
    exp.Format: rewrite_scalars.format_text,
    exp.FromISO8601Timestamp: rewrite_scalars.from_iso8601_timestamp,
    exp.GroupConcat: rewrite_scalars.listagg,
    exp.GenerateSeries: rewrite_scalars.sequence,
    exp.JSONExtract: rewrite_nested.json_extract,
    exp.JSONExtractScalar: rewrite_nested.json_extract_scalar,
    exp.ParseDatetime: rewrite_scalars.parse_datetime,
    exp.Reduce: rewrite_nested.reduce_array,
    exp.Repeat: rewrite_scalars.repeat,
    exp.RegexpExtract: rewrite_scalars.regexp_extract,
    exp.RegexpReplace: rewrite_scalars.regexp_replace,
    exp.Select: _name_columns,
    exp.SplitPart: rewrite_scalars.split_part,
    exp.StrToTime: rewrite_scalars.date_pattern,
    exp.Struct: rewrite_nested.row_constructor,
    exp.Sub: rewrite_scalars.subtract,
    exp.Substring: rewrite_scalars.substring,
    exp.TimeToStr: rewrite_scalars.date_pattern,
    exp.TimeToUnix: rewrite_scalars.to_unixtime,
    exp.TimestampTrunc: rewrite_scalars.keep_date,
    exp.Try: rewrite_nested.attempt,
    exp.TryCast: rewrite_casts.cast,
    exp.UnixToTime: rewrite_scalars.from_unixtime,
    exp.Unnest: rewrite_nested.unnest,
    exp.Values: rewrite_nested.spread_rows,
}

# Functions that sqlglot does not know, so that it parses them as `Anonymous`.
REWRITERS_BY_NAME: dict[str, Rewriter] = {
    "all_match": rewrite_nested.all_match,
    "any_match": rewrite_nested.any_match,
    "at_timezone": rewrite_scalars.at_timezone,
    "format_datetime": rewrite_scalars.format_datetime,
    "map_filter": rewrite_nested.map_filter,
    "none_match": rewrite_nested.none_match,
    "transform_values": rewrite_nested.transform_values,
    "with_timezone": rewrite_scalars.with_timezone,
    **dict.fromkeys(RENAMED, _rename),
}
