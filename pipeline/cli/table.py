"""A query result as a table for people. Where the terminal is too narrow, one row below the other."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.aws.archive.athena import QueryResult
from pipeline.cli.output import printable

NUMERIC_TYPES = frozenset({"tinyint", "smallint", "integer", "bigint", "double", "float", "real", "decimal"})
UNLIMITED_WIDTH = 1_000_000
MIN_COLUMN_WIDTH = 8  # characters; a narrower column cannot be read
BORDER_WIDTH = 3  # a column's line, and the spaces on both sides


def write_table(result: QueryResult, *, to: Console) -> None:
    """Print a result as one table, or as a table for each row if the columns do not fit into the terminal."""
    table = _table(result)
    min_width = (MIN_COLUMN_WIDTH + BORDER_WIDTH) * len(result.columns)
    if min_width <= to.width or _natural_width(table, to) <= to.width:
        to.print(table)
        return
    for number, row in enumerate(result.rows, 1):
        to.print(f"row {number:,}", style="bold")
        to.print(_row_table(result, row))


def _table(result: QueryResult) -> Table:
    table = Table()
    for column in result.columns:
        is_numeric = column.type in NUMERIC_TYPES
        table.add_column(_cell(column.name), justify="right" if is_numeric else "left", overflow="fold")
    for row in result.rows:
        table.add_row(*map(_cell, row))
    return table


def _natural_width(table: Table, console: Console) -> int:
    return console.measure(table, options=console.options.update(max_width=UNLIMITED_WIDTH)).maximum


def _row_table(result: QueryResult, row: tuple[str | None, ...]) -> Table:
    """Return a table with a line for each column."""
    table = Table.grid(padding=(0, 2))
    table.add_column(no_wrap=True)
    table.add_column(overflow="fold")
    for column, value in zip(result.columns, row, strict=True):
        table.add_row(_cell(column.name), _cell(value))
    return table


def _cell(value: str | None) -> Text:
    """Return a value as plain text: `[b]` in it is no markup, `:x:` no emoji."""
    return Text("" if value is None else printable(value))
