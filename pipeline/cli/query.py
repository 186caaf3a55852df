"""`mailfold query`: SQL over the event log."""

import csv
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import Annotated, Any

import msgspec
import typer

from pipeline.aws.archive.athena import QueryProgress, QueryResult, query
from pipeline.aws.settings import TABLE
from pipeline.cli.options import RegionOption, StackOption, parse_quantity
from pipeline.cli.output import counted, first_few, printable, results, say, size, to_people, write_json
from pipeline.cli.statement import read_statement, saved_names
from pipeline.cli.table import write_table
from pipeline.cli.target import Target, target
from pipeline.errors import UsageError

SCAN_LIMIT = "10GB"  # five cents at Athena's list price
MIN_SCAN_BYTES = 10_000_000  # Athena's minimum charge, and the smallest limit that a workgroup can have

# Conversion of Athena's text for a value to JSON. A value of any other type remains a text.
_CONVERTERS: dict[str, Callable[[str], Any]] = {
    **dict.fromkeys(("tinyint", "smallint", "integer", "bigint"), int),
    **dict.fromkeys(("decimal", "double", "float", "real"), float),  # JSON has no NaN and no infinity: they become null
    "boolean": lambda text: text == "true",
    "json": lambda text: msgspec.Raw(msgspec.json.format(text.encode(), indent=-1)),
}
_NESTED = {"array", "map", "row"}


class OutputFormat(StrEnum):
    """How a result is written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


def query_command(
    sql: Annotated[
        str | None, typer.Argument(metavar="SQL", help="One statement, in Athena's SQL (Trino); -: standard input.")
    ] = None,
    *,
    file: Annotated[str | None, typer.Option("--file", "-f", metavar="FILE", help="A file that holds the SQL.")] = None,
    saved: Annotated[
        str | None,
        typer.Option(
            "--saved",
            metavar="NAME",
            autocompletion=saved_names,
            help="A saved query: bounces_by_domain, …; history_of_an_address takes the address in place of SQL.",
        ),
    ] = None,
    form: Annotated[
        OutputFormat,
        typer.Option(
            "--format",
            help="How to write the result. csv has the exact values: a spreadsheet runs those that begin with = + - @, "
            "unless its columns are imported as text.",
        ),
    ] = OutputFormat.TABLE,
    json: Annotated[bool, typer.Option("--json", help="The same as --format json: one object on each line.")] = False,
    timeout_seconds: Annotated[float, typer.Option("--timeout", min=0, help="Seconds to wait at most.")] = 300.0,
    max_scan: Annotated[
        str, typer.Option("--max-scan", metavar="SIZE", help="Stop the query once it has read more: 500MB, 2TiB.")
    ] = SCAN_LIMIT,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Run SQL over the event log: every event is a row of the table `events`, beside views for common questions.

    AWS bills what a query reads, at least 10 MB. A query is stopped once Athena reports that it has read more than
    --max-scan, which is some seconds late. A stack's workgroup has a limit too, which no query exceeds. Filter on `dt`,
    the day of arrival, and name the columns that you need: `raw` is most of the bytes.

    Athena gives arrays, maps and rows as text. For JSON, write CAST(recipients AS json).

    Example: mailfold query "SELECT event_type, count(DISTINCT event_id) AS events FROM events GROUP BY 1"
    """
    statement = read_statement(sql, file=file, saved=saved)
    limit_bytes = parse_scan_limit(max_scan)
    cloud = target(stack, region, unused=TABLE)
    if not cloud.is_local and reads_every_day(statement, table=cloud.log_table):
        say([f"the query has no filter on dt: it reads all days of {cloud.log_table}"], to=to_people())
    result = run_query(cloud, statement, timeout_seconds=timeout_seconds, limit_bytes=limit_bytes)
    form = OutputFormat.JSON if json else form
    row_count = write(result, form)
    say(_remarks(result, form), to=to_people())
    to_people().print(f"{counted(row_count, 'row')}, {scan_text(result.scanned_bytes, cloud)}", style="dim")


def reads_every_day(sql: str, *, table: str) -> bool:
    """Guess from its words whether a statement reads every day of the event log."""
    words = {word.lower() for word in re.findall(r"\w+", sql)}
    return table in words and "dt" not in words and words.isdisjoint({"describe", "explain", "show"})


def write(result: QueryResult, form: OutputFormat) -> int:
    """Write a result to standard output, and return the number of its rows.

    Raises:
        UsageError: The format is JSON, and two columns have the same name.
    """
    match form:
        case OutputFormat.JSON:
            return _write_json(result)
        case OutputFormat.CSV:
            return _write_csv(result)
        case OutputFormat.TABLE:
            rows = list(result.rows)
            write_table(msgspec.structs.replace(result, rows=rows), to=results())
            return len(rows)


def _remarks(result: QueryResult, form: OutputFormat) -> Iterator[str]:
    """Yield what Athena says of the query, and which columns are not JSON although they could be."""
    yield from first_few(result.remark.split("; ")) if result.remark else ()
    texts = [column.name for column in result.columns if column.type in _NESTED]
    if texts and form is OutputFormat.JSON:
        yield f"as Athena's text, not as JSON: {', '.join(texts)}; for JSON write CAST({texts[0]} AS json)"


def scan_text(scanned_bytes: int, cloud: Target) -> str:
    """Return what a query has read and, of a query in AWS, what that costs at the list price."""
    if cloud.is_local:
        return f"{size(scanned_bytes)} read"
    from pipeline.aws.cost.estimate import query_usd  # noqa: PLC0415 - prices are read only after a query in AWS

    return f"{size(scanned_bytes)} read, ${query_usd(scanned_bytes):.5f} at Athena's list price"


def parse_scan_limit(text: str) -> int:
    """Return the bytes that a query may read.

    Raises:
        UsageError: It is no number of bytes, or below what Athena bills for any query.
    """
    limit_bytes = parse_quantity(text)
    if limit_bytes < MIN_SCAN_BYTES:
        raise UsageError(f"--max-scan must be at least {MIN_SCAN_BYTES // 1_000_000}MB, Athena's minimum charge")
    return limit_bytes


def run_query(
    cloud: Target, sql: str, parameters: Sequence[str] = (), *, timeout_seconds: float, limit_bytes: int
) -> QueryResult:
    """Run a statement and show its progress. See `athena.query`."""
    with to_people().status("waiting for Athena") as status:

        def show(progress: QueryProgress) -> None:
            scanned = size(progress.scanned_bytes)
            status.update(f"{progress.state.lower()}, {scanned} read, {progress.elapsed_seconds:.1f} s")

        return query(
            cloud.clients.athena,
            sql,
            parameters=parameters,
            s3=cloud.clients.s3,
            database=cloud.database,
            workgroup=cloud.workgroup,
            output_location=cloud.output_location,
            timeout_seconds=timeout_seconds,
            scan_limit_bytes=limit_bytes,
            progress=show,
        )


def _write_json(result: QueryResult) -> int:
    names = [column.name for column in result.columns]
    if repeated := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"two columns are named {repeated}: rename one with AS, or use --format csv")
    converters = [_CONVERTERS.get(column.type, str) for column in result.columns]
    row_count = 0
    for row_count, row in enumerate(result.rows, 1):  # noqa: B007 - counts
        values = (None if text is None else convert(text) for convert, text in zip(converters, row, strict=True))
        write_json(dict(zip(names, values, strict=True)))
    return row_count


def _write_csv(result: QueryResult) -> int:
    """Write CSV as in RFC 4180 but with Unix line ends, and to a terminal without control characters."""
    to_text = printable if sys.stdout.isatty() else str
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(to_text(column.name) for column in result.columns)
    row_count = 0
    for row_count, row in enumerate(result.rows, 1):  # noqa: B007 - counts
        writer.writerow("" if text is None else to_text(text) for text in row)
    return row_count
