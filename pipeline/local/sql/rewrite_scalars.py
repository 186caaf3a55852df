"""Text and casts, where Trino and DuckDB differ: each function mends one kind of node.

Times and dates, where Trino and DuckDB differ: each function mends one kind of node.
"""

import re

from sqlglot import exp

from pipeline.local.sql.node import function_call, has_type

ISO_DAY_OF_WEEK = frozenset({"DOW", "DAY_OF_WEEK", "DAYOFWEEK"})

# A field of a Joda-Time pattern, and strftime's. joda-time: DateTimeFormat
JODA = {
    "yyyy": "%Y", "YYYY": "%Y", "yy": "%y", "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dd": "%d", "d": "%-d",
    "EEEE": "%A", "EEE": "%a", "E": "%a", "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "ss": "%S",
    "SSS": "%g", "a": "%p", "Z": "%z", "ZZ": "%z",
}  # fmt: skip

_JODA_FIELD = re.compile(r"'([^']*)'|([A-Za-z])\2*")


def date_diff(node: exp.DateDiff) -> exp.Expr:
    """Trino counts whole units that have gone by, which DuckDB calls date_sub; its date_diff counts boundaries."""
    return function_call("DATE_SUB", node.text("unit").lower() or "day", node.expression, node.this)


def in_zone(node: exp.AtTimeZone) -> exp.Expr:
    """A time without a zone is one in UTC, to be moved; in DuckDB it would be taken for one of that zone."""
    return function_call("TIMEZONE", node.args["zone"], exp.cast(node.this, "TIMESTAMPTZ"))


def of_date(node: exp.Expr) -> exp.Expr:
    """What is done to a date gives a date; in DuckDB it would become a timestamp."""
    return exp.cast(node.copy(), "DATE") if _is_date(node.this) else node


def shifted(node: exp.Add | exp.Sub) -> exp.Expr:
    """A date and an interval give a date."""
    return of_date(node) if isinstance(node.expression, exp.Interval) else node


def extracted(node: exp.Extract) -> exp.Expr:
    """Weeks begin on Monday, 1, and end on Sunday, 7; DuckDB's DOW is 0 on Sunday."""
    if node.name.upper() in ISO_DAY_OF_WEEK:
        return exp.Extract(this=exp.var("ISODOW"), expression=node.expression)
    return node


def joda_formatted(node: exp.Anonymous) -> exp.Expr:
    """format_datetime takes Joda-Time's patterns."""
    return function_call("STRFTIME", node.expressions[0], _joda(node.expressions[1].name))


def joda_parsed(node: exp.ParseDatetime) -> exp.Expr:
    """parse_datetime takes Joda-Time's patterns, and gives a time with a zone."""
    return exp.cast(function_call("STRPTIME", node.this, _joda(node.text("format"))), "TIMESTAMPTZ")


def _joda(pattern: str) -> str:
    return _JODA_FIELD.sub(lambda found: found[1] if found[1] is not None else JODA.get(found[0], found[0]), pattern)


def sequence(node: exp.GenerateSeries) -> exp.Expr:
    """Dates stay dates; in DuckDB they would become timestamps."""
    return exp.cast(node.copy(), "DATE[]", dialect="duckdb") if _is_date(node.args["start"]) else node


def _is_date(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.CurrentDate) or has_type(node, exp.DType.DATE)


TIMES = (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ)


def regexp_extract(node: exp.RegexpExtract) -> exp.Expr:
    """No match is null, not the empty text."""
    found = exp.RegexpLike(this=node.this.copy(), expression=node.expression.copy())
    return exp.Case().when(
        found, function_call("REGEXP_EXTRACT", node.this, node.expression, node.args.get("group") or exp.convert(0))
    )


def regexp_replace(node: exp.RegexpReplace) -> exp.Expr:
    r"""Groups are $1 in Java and \1 in RE2."""
    if (replacement := node.args.get("replacement")) and replacement.is_string:
        node.set("replacement", exp.Literal.string(re.sub(r"\$(\d)", r"\\\1", replacement.name)))
    return node


def split_part(node: exp.SplitPart) -> exp.Expr:
    """Beyond the last part is null, not the empty text."""
    return exp.Bracket(
        this=function_call("STR_SPLIT", node.this, node.args["delimiter"]),
        expressions=[node.args["part_index"]],
        offset=1,
    )


def formatted(node: exp.Format) -> exp.Expr:
    """Java's placeholders are C's, more or less; DuckDB's FORMAT has Python's."""
    return function_call("PRINTF", node.this, *node.expressions)


def cast(node: exp.Cast) -> exp.Expr:
    """To JSON means to encode, not to parse; a time's text always has its milliseconds, and it is always precise."""
    if node.to.is_type(exp.DType.JSON):
        return function_call("TO_JSON", node.this)
    if node.to.is_type(*TIMES):
        node.to.set("expressions", None)
    if has_type(node.this, *TIMES) and node.to.is_type(exp.DType.VARCHAR, exp.DType.TEXT):
        return function_call("STRFTIME", node.this, "%Y-%m-%d %H:%M:%S.%g")
    return node
