"""Times and dates, where Trino and DuckDB differ: each function mends one kind of node."""

import re

from sqlglot import exp

from pipeline.local.sql.node import call, has_type

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
    return call("DATE_SUB", node.text("unit").lower() or "day", node.expression, node.this)


def in_zone(node: exp.AtTimeZone) -> exp.Expr:
    """A time without a zone is one in UTC, to be moved; in DuckDB it would be taken for one of that zone."""
    return call("TIMEZONE", node.args["zone"], exp.cast(node.this, "TIMESTAMPTZ"))


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
    return call("STRFTIME", node.expressions[0], _joda(node.expressions[1].name))


def joda_parsed(node: exp.ParseDatetime) -> exp.Expr:
    """parse_datetime takes Joda-Time's patterns, and gives a time with a zone."""
    return exp.cast(call("STRPTIME", node.this, _joda(node.text("format"))), "TIMESTAMPTZ")


def _joda(pattern: str) -> str:
    return _JODA_FIELD.sub(lambda found: found[1] if found[1] is not None else JODA.get(found[0], found[0]), pattern)


def sequence(node: exp.GenerateSeries) -> exp.Expr:
    """Dates stay dates; in DuckDB they would become timestamps."""
    return exp.cast(node.copy(), "DATE[]", dialect="duckdb") if _is_date(node.args["start"]) else node


def _is_date(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.CurrentDate) or has_type(node, exp.DType.DATE)
