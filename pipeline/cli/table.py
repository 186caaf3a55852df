"""An answer as a table for people: as wide as it needs, or else one row below the other."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.aws.athena import Result
from pipeline.cli.words import printable

NUMBERS = frozenset({"tinyint", "smallint", "integer", "bigint", "double", "float", "real", "decimal"})
UNLIMITED = 1_000_000
NARROWEST = 8  # what a column can be squeezed to and still be read
EDGE = 3  # a column's line, and the spaces on both sides


def write_table(result: Result, *, to: Console) -> None:
    """Write an answer; where the terminal is too narrow for its columns, each row with a line for each column."""
    table = _table(result)
    if (NARROWEST + EDGE) * len(result.columns) <= to.width or _natural_width(table, to) <= to.width:
        to.print(table)
        return
    for number, row in enumerate(result.rows, 1):
        to.print(f"row {number:,}", style="bold")
        to.print(_record(result, row))


def _table(result: Result) -> Table:
    shown = Table()
    for column in result.columns:
        shown.add_column(_cell(column.name), justify="right" if column.type in NUMBERS else "left", overflow="fold")
    for row in result.rows:
        shown.add_row(*map(_cell, row))
    return shown


def _natural_width(table: Table, console: Console) -> int:
    return console.measure(table, options=console.options.update(max_width=UNLIMITED)).maximum


def _record(result: Result, row: tuple[str | None, ...]) -> Table:
    shown = Table.grid(padding=(0, 2))
    shown.add_column(no_wrap=True)
    shown.add_column(overflow="fold")
    for column, value in zip(result.columns, row, strict=True):
        shown.add_row(_cell(column.name), _cell(value))
    return shown


def _cell(value: str | None) -> Text:
    """Return a value as nothing but text: "[b]" in it is no markup, ":x:" no emoji."""
    return Text("" if value is None else printable(value))
