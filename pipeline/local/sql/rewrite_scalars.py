"""Rewriters for times, dates, text, casts and approximate aggregates.

Each function has the name of the Trino function or form that it rewrites, where Python allows it.
trino.io/docs/current/functions/datetime.html, string.html, regexp.html, conversion.html, aggregate.html
"""

import re

from sqlglot import exp
from sqlglot.errors import UnsupportedError

from pipeline.local.sql.node import NO_FIELD, function_call, has_type

ISO_DAY_OF_WEEK = frozenset({"DOW", "DAY_OF_WEEK", "DAYOFWEEK"})
UNITS_OF_A_DAY = frozenset({"hour", "minute", "second", "millisecond"})
TIMES = (exp.DType.TIMESTAMP, exp.DType.TIMESTAMPNTZ)
INSTANT = "instant"  # the key of the instant, in the meta data of a time that was moved
PRINTED = "printed"  # the key of the expression, in a node's meta data, that prints a time with its zone

# Fields of a Joda-Time pattern, and strftime's. joda.org/joda-time/apidocs/org/joda/time/format/DateTimeFormat.html
JODA_FIELDS = {
    "yyyy": "%Y", "YYYY": "%Y", "yy": "%y", "xxxx": "%G", "ww": "%V", "e": "%u", "DDD": "%j", "D": "%-j",
    "MMMM": "%B", "MMM": "%b", "MM": "%m", "M": "%-m", "dd": "%d", "d": "%-d", "EEEE": "%A", "EEE": "%a", "E": "%a",
    "HH": "%H", "H": "%-H", "hh": "%I", "h": "%-I", "mm": "%M", "ss": "%S", "SSS": "%g", "a": "%p", "Z": "%z",
    "ZZ": "%z",
}  # fmt: skip

_PLACEHOLDER = re.compile(r"%[-#+ 0,(]*\d*(?:\.\d+)?[A-Za-z%]")
_JODA_FIELD = re.compile(r"'([^']*)'|([A-Za-z])\2*")


def date_diff(node: exp.DateDiff) -> exp.Expr:
    """Count whole units, as DuckDB's date_sub does. DuckDB's date_diff counts boundaries."""
    unit = node.text("unit").lower() or "day"
    return function_call("DATE_SUB", unit, instant_of(node.expression), instant_of(node.this))


def keep_date(node: exp.Expr) -> exp.Expr:
    """Yield a date for a date. DuckDB would yield a timestamp, also for an hour, which a date does not have."""
    if not _is_date(node.this):
        return node
    unit = _unit(node)
    if unit in UNITS_OF_A_DAY:
        raise UnsupportedError(f"a date with a unit of {unit}, which Athena rejects: write CAST(x AS timestamp)")
    return exp.cast(node.copy(), "DATE")


def _unit(node: exp.Expr) -> str:
    """Return the unit of a function of times, or of the interval that is added to one."""
    return (node.text("unit") or node.expression.text("unit")).lower()


def shift_date(node: exp.Add | exp.Sub) -> exp.Expr:
    """Yield a date for a date and an interval."""
    return keep_date(node) if isinstance(node.expression, exp.Interval) else node


def subtract(node: exp.Sub) -> exp.Expr:
    """Yield an interval for two dates. DuckDB would yield a number of days."""
    if has_type(node.this, exp.DType.DATE) and has_type(node.expression, exp.DType.DATE):
        return function_call("TO_DAYS", exp.cast(exp.paren(node.copy()), "INTEGER"))
    return shift_date(node)


def substring(node: exp.Substring) -> exp.Expr:
    """Yield an empty text for a start before the first character."""
    return function_call("TEXT_PART", node.this, node.args["start"], node.args.get("length") or exp.convert(2**31 - 1))


def listagg(node: exp.GroupConcat) -> exp.Expr:
    """Put nothing between the texts unless a separator is given. DuckDB would put a comma."""
    if not node.args.get("separator"):
        node.set("separator", exp.Literal.string(""))
    return node


def sequence(node: exp.GenerateSeries) -> exp.Expr:
    """Yield dates for dates, where DuckDB would yield timestamps, and count down to a smaller end."""
    if _is_date(node.args["start"]):
        if not node.args.get("step"):
            node.set("step", exp.Interval(this=exp.Literal.string("1"), unit=exp.var("DAY")))
        return exp.cast(node.copy(), "DATE[]", dialect="duckdb")
    return node if node.args.get("step") else function_call("SEQUENCE_OF", node.args["start"], node.args["end"])


def _is_date(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.CurrentDate) or has_type(node, exp.DType.DATE)


def at_time_zone(node: exp.AtTimeZone) -> exp.Expr:
    """Read a time without a zone as UTC and move it. DuckDB would read it as a time of that zone."""
    return _moved(node.this, node.args["zone"])


def at_timezone(node: exp.Anonymous) -> exp.Expr:
    """Do the same as AT TIME ZONE."""
    time, zone = node.expressions
    return _moved(time, zone)


def from_unixtime(node: exp.UnixToTime) -> exp.Expr:
    """Move a time that is given in seconds, if a zone is given too."""
    zone = node.args.get("zone")
    return _moved(function_call("TO_TIMESTAMP", node.this), zone) if zone else node


def with_timezone(node: exp.Anonymous) -> exp.Expr:
    """Read a time as one of that zone."""
    time, zone = node.expressions
    read = function_call("TIMEZONE", zone, time)
    read.meta[PRINTED] = _with_zone(exp.cast(time.copy(), "TIMESTAMP"), zone)
    return read


def _moved(time: exp.Expr, zone: exp.Expr) -> exp.Expr:
    instant = exp.cast(instant_of(time).copy(), "TIMESTAMPTZ")
    moved = function_call("TIMEZONE", zone, instant)
    moved.meta[INSTANT] = instant.copy()
    moved.meta[PRINTED] = _with_zone(moved.copy(), zone)
    return moved


def _with_zone(time: exp.Expr, zone: exp.Expr) -> exp.Expr:
    """Return the text of a time and its zone, as Trino prints it. DuckDB's times have no zone of their own."""
    text = function_call("STRFTIME", time, "%Y-%m-%d %H:%M:%S.%g ")
    return exp.paren(exp.DPipe(this=text, expression=zone.copy()))


def instant_of(node: exp.Expr) -> exp.Expr:
    """Return the instant of a time that was moved to a zone; the same expression for any other."""
    instant: exp.Expr = node.unnest().meta.get(INSTANT, node)
    return instant


def from_iso8601_timestamp(node: exp.FromISO8601Timestamp) -> exp.Expr:
    """Fail for an offset, which Trino keeps as the value's zone."""
    return function_call("ISO_TIME_OR_ERROR", node.this)


def compare(node: exp.Binary) -> exp.Expr:
    """Compare instants, whatever their zones."""
    node.set("this", instant_of(node.this))
    node.set("expression", instant_of(node.expression))
    return node


def to_unixtime(node: exp.TimeToUnix) -> exp.Expr:
    """Count from 1970 to the instant."""
    node.set("this", instant_of(node.this))
    return node


def printed(node: exp.Expr) -> exp.Expr:
    """Return what shows an expression as Trino prints it: its text if it is a time in a zone, or else itself."""
    text: exp.Expr = node.meta.get(PRINTED, node)
    return text


def extract_field(node: exp.Extract) -> exp.Expr:
    """Count days of the week from Monday, 1, to Sunday, 7. DuckDB's DOW is 0 on Sunday."""
    if node.name.upper() in ISO_DAY_OF_WEEK:
        return exp.Extract(this=exp.var("ISODOW"), expression=node.expression)
    return node


def format_datetime(node: exp.Anonymous) -> exp.Expr:
    """Turn a Joda-Time pattern into one of strftime."""
    time, pattern = node.expressions
    return function_call("STRFTIME", time, _strftime_pattern(pattern.name))


def parse_datetime(node: exp.ParseDatetime) -> exp.Expr:
    """Turn a Joda-Time pattern into one of strptime, and yield a time with a zone."""
    return exp.cast(function_call("STRPTIME", node.this, _strftime_pattern(node.text("format"))), "TIMESTAMPTZ")


def _strftime_pattern(joda: str) -> str:
    return _JODA_FIELD.sub(_strftime_field, joda)


def _strftime_field(field: re.Match[str]) -> str:
    """Return a field of strftime, or a quoted text."""
    if field[1] is not None:
        return field[1]
    if field[0] not in JODA_FIELDS:
        raise UnsupportedError(f"the field {field[0]} in a pattern of a time")
    return JODA_FIELDS[field[0]]


def max_by(node: exp.ArgMax) -> exp.Expr:
    """Yield null if the value beside the greatest is null. DuckDB would skip it."""
    return node if node.args.get("count") else function_call("ARG_MAX_NULL", node.this, node.expression)


def min_by(node: exp.ArgMin) -> exp.Expr:
    """Yield null if the value beside the least is null. DuckDB would skip it."""
    return node if node.args.get("count") else function_call("ARG_MIN_NULL", node.this, node.expression)


def regexp_extract(node: exp.RegexpExtract) -> exp.Expr:
    """Yield null if nothing matches. DuckDB would yield the empty text."""
    matches = exp.RegexpLike(this=node.this.copy(), expression=node.expression.copy())
    return exp.Case().when(
        matches, function_call("REGEXP_EXTRACT", node.this, node.expression, node.args.get("group") or exp.convert(0))
    )


def regexp_replace(node: exp.RegexpReplace) -> exp.Expr:
    r"""Write a group as \1, as RE2 does. Java writes $1."""
    if (replacement := node.args.get("replacement")) and replacement.is_string:
        node.set("replacement", exp.Literal.string(re.sub(r"\$(\d)", r"\\\1", replacement.name)))
    return node


def split_part(node: exp.SplitPart) -> exp.Expr:
    """Yield null beyond the last part. DuckDB would yield the empty text."""
    return exp.Bracket(
        this=function_call("STR_SPLIT", node.this, node.args["delimiter"]),
        expressions=[node.args["part_index"]],
        offset=1,
    )


def format_text(node: exp.Format) -> exp.Expr:
    """Use printf, whose placeholders are mostly Java's, and print any value at %s. DuckDB's FORMAT has Python's."""
    placeholders = [match[0] for match in _PLACEHOLDER.finditer(node.this.name) if match[0] != "%%"]
    for placeholder, argument in zip(placeholders, list(node.expressions), strict=False):
        if placeholder.endswith("s"):
            argument.replace(function_call("COALESCE", text_of(argument.copy()), "null"))
    return function_call("PRINTF", node.this, *node.expressions)


def text_of(value: exp.Expr) -> exp.Expr:
    """Return a value as the text that Trino casts it to."""
    if PRINTED in value.meta:
        return printed(value)
    if has_type(value, exp.DType.TIMESTAMPTZ) or isinstance(value, (exp.UnixToTime, exp.CurrentTimestamp)):
        return function_call("STRFTIME", value, "%Y-%m-%d %H:%M:%S.%g UTC")
    if has_type(value, *TIMES):
        return function_call("STRFTIME", value, "%Y-%m-%d %H:%M:%S.%g")
    if has_type(value, exp.DType.JSON):
        return function_call("JSON_SCALAR", value, "$")
    if has_type(value, exp.DType.DOUBLE):
        return function_call("DOUBLE_TEXT", value)
    return exp.cast(value, "VARCHAR")


def date_pattern(node: exp.TimeToStr | exp.StrToTime) -> exp.Expr:
    """Refuse the fields that Trino lacks."""
    if NO_FIELD in node.text("format"):
        raise UnsupportedError("%D, %U, %V, %X, %u and %w in a pattern of a time, which Athena rejects")
    return node


def repeat(node: exp.Repeat) -> exp.Expr:
    """Repeat an element in an array. DuckDB's function repeats a text."""
    return function_call("ARRAY_OF", node.this, node.args["times"])


def approx_distinct(node: exp.ApproxDistinct) -> exp.Expr:
    """Drop the accuracy, which DuckDB does not take."""
    return exp.ApproxDistinct(this=node.this)


def approx_percentile(node: exp.ApproxQuantile) -> exp.Expr:
    """Take one quantile or an array of them, and keep the type of the values."""
    return function_call("APPROX_QUANTILE", node.this, node.args["quantile"])
