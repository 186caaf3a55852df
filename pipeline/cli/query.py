"""`mailfold query`: SQL over the log."""

import csv
import sys
from enum import StrEnum
from typing import Annotated

import msgspec
import typer
from rich.table import Table

from pipeline.aws.athena import Progress, Result, query
from pipeline.cli.target import settings
from pipeline.cli.words import printable, results, size, to_people

DATABASE = "mailfold"


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
    timeout_seconds: Annotated[float, typer.Option("--timeout", help="Seconds to wait at most.")] = 300.0,
) -> None:
    """Ask the log: every event is a row of the table `events`; views for common questions are beside it.

    Example: mailfold query "SELECT event_type, count(DISTINCT event_id) AS events FROM events GROUP BY 1"
    """
    from pipeline.aws.clients import client  # noqa: PLC0415 - boto3 takes a third of a second

    where = settings()
    with to_people().status("asking Athena") as status:

        def show(progress: Progress) -> None:
            status.update(
                f"{progress.state.lower()}, {size(progress.scanned_bytes)} read, {progress.elapsed_seconds:.1f} s"
            )

        result = query(
            client("athena"),
            sql,
            database=DATABASE,
            output_location=f"s3://{where.bucket}/athena-results/",
            timeout_seconds=timeout_seconds,
            progress=show,
        )
    write(result, Form.JSON if json else form)
    to_people().print(f"{len(result.rows):,} rows, {size(result.scanned_bytes)} read", style="dim")


def write(result: Result, form: Form) -> None:
    """Write an answer to standard output."""
    names = [column.name for column in result.columns]
    match form:
        case Form.JSON:
            for row in result.rows:
                sys.stdout.write(msgspec.json.encode(dict(zip(names, row, strict=True))).decode() + "\n")
        case Form.CSV:
            writer = csv.writer(sys.stdout, lineterminator="\n")
            writer.writerow(names)
            writer.writerows(result.rows)
        case Form.TABLE:
            results().print(table(result))


def table(result: Result) -> Table:
    """Return an answer as a table for people."""
    shown = Table()
    for column in result.columns:
        number = column.type in {"tinyint", "smallint", "integer", "bigint", "double", "float", "real", "decimal"}
        shown.add_column(printable(column.name), justify="right" if number else "left")
    for row in result.rows:
        shown.add_row(*("" if value is None else printable(value) for value in row))
    return shown
