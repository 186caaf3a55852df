"""`mailfold query`: SQL over the log."""

import csv
import re
import sys
from collections.abc import Callable
from enum import StrEnum
from typing import Annotated, Any

import typer

from pipeline.aws.archive.athena import QueryProgress, QueryResult, query
from pipeline.cli.options import RegionOption, StackOption, parse_quantity
from pipeline.cli.output import counted, printable, results, say, size, to_people, write_json, write_table
from pipeline.cli.target import Target, target
from pipeline.errors import UsageError

SCAN_LIMIT = "10GB"  # five cents at Athena's list price
LEAST_SCAN_BYTES = 10_000_000  # what Athena bills at least, and the least limit that a workgroup can have

# How Athena's text for a value becomes JSON; a value of any other type stays a text.
_VALUES: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), int),
    **dict.fromkeys(("double", "float", "real"), float),  # JSON has no NaN and no infinity: they become null
    "boolean": lambda text: text == "true",
}


class Form(StrEnum):
    """How an answer is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def query_command(
    sql: Annotated[str, typer.Argument(metavar="SQL", help="One statement, in Athena's SQL (Trino).")],
    *,
    form: Annotated[Form, typer.Option("--format", help="How to write the answer.")] = Form.TABLE,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json: one object on each line.")] = False,
    timeout_seconds: Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait at most.")] = 300.0,
    max_scan: Annotated[
        str, typer.Option("--max-scan", metavar="SIZE", help="Stop it once it has read more than this: 500MB, 2TiB.")
    ] = SCAN_LIMIT,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Ask the log: every event is a row of the table `events`; views for common questions are beside it.

    What is read is billed, 10 MB at least. A query is stopped once Athena says that it has read more than --max-scan,
    which it says some seconds late; a stack's workgroup has a limit of its own, which no query passes. Filter on `dt`,
    the day of arrival, and name the columns that you want: `raw` is most of the bytes.

    Example: mailfold query "SELECT event_type, count(DISTINCT event_id) AS events FROM events GROUP BY 1"
    """
    if not sql.strip():
        raise UsageError("there is no SQL to run: write for example SELECT count(*) FROM events")
    limit_bytes = _limit(max_scan)
    cloud = target(stack, region)
    if not cloud.is_local and reads_all(sql, table=cloud.log_table):
        say([f"nothing in it filters on dt: all days of {cloud.log_table} are read"], to=to_people())
    result = _answer(cloud, sql, timeout_seconds=timeout_seconds, limit_bytes=limit_bytes)
    write(result, Form.JSON if json else form)
    to_people().print(f"{counted(len(result.rows), 'row')}, {size(result.scanned_bytes)} read", style="dim")


def reads_all(sql: str, *, table: str) -> bool:
    """Guess from its words whether a statement reads every day of the log."""
    words = {word.lower() for word in re.findall(r"\w+", sql)}
    return table in words and "dt" not in words and words.isdisjoint({"describe", "explain", "show"})


def _limit(text: str) -> int:
    limit_bytes = parse_quantity(text)
    if limit_bytes < LEAST_SCAN_BYTES:
        raise UsageError(
            f"--max-scan is {LEAST_SCAN_BYTES // 1_000_000}MB at least, which is what Athena bills at least"
        )
    return limit_bytes


def _answer(cloud: Target, sql: str, *, timeout_seconds: float, limit_bytes: int) -> QueryResult:
    with to_people().status("asking Athena") as status:

        def show(progress: QueryProgress) -> None:
            read = size(progress.scanned_bytes)
            status.update(f"{progress.state.lower()}, {read} read, {progress.elapsed_seconds:.1f} s")

        return query(
            cloud.client("athena"),
            sql,
            database=cloud.database,
            workgroup=cloud.workgroup,
            output_location=cloud.output_location,
            timeout_seconds=timeout_seconds,
            scan_limit_bytes=limit_bytes,
            progress=show,
        )


def write(result: QueryResult, form: Form) -> None:
    """Write an answer to standard output.

    Raises:
        UsageError: As JSON, two columns would have one name.
    """
    match form:
        case Form.JSON:
            _write_json(result)
        case Form.CSV:
            _write_csv(result)
        case Form.TABLE:
            write_table(result, to=results())


def _write_json(result: QueryResult) -> None:
    names = [column.name for column in result.columns]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"two columns are named {twice}: give each a name of its own with AS, or take --format csv")
    values = [_VALUES.get(column.type, str) for column in result.columns]
    for row in result.rows:
        told = (None if text is None else value(text) for value, text in zip(values, row, strict=True))
        write_json(dict(zip(names, told, strict=True)))


def _write_csv(result: QueryResult) -> None:
    """Write CSV as in RFC 4180, but for its line ends; to a terminal, nothing that it would obey."""
    shown = printable if sys.stdout.isatty() else str
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(shown(column.name) for column in result.columns)
    for row in result.rows:
        writer.writerow("" if text is None else shown(text) for text in row)
