"""An answer as a table for people: as wide as it needs, or else one row below the other.

Words to people, and JSON to programs: nothing in either that a terminal would obey.

What remote servers wrote ends up in diagnostics and subjects, and may hold escape sequences.
"""

import re
import sys
import textwrap
from collections.abc import Iterable
from typing import Any

import msgspec
from rich import filesize
from rich.console import Console
from rich.progress import Progress, ProgressColumn
from rich.table import Table
from rich.text import Text

from pipeline.aws.archive.athena import QueryResult

_UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"
_HANGING = 4  # spaces before the rest of a line that is longer than the terminal is wide
_PIPE_WIDTH = 1_000_000  # nothing is broken or cut off where a program reads

# JSON escapes the control characters below the space, but not those that stand here: 0x9b begins a sequence too.
_OBEYED = re.compile(rb"\x7f|\xc2[\x80-\x9f]")


def to_people() -> Console:
    """Return the console for words and progress: standard error, so that results can be piped."""
    return _plain(Console(stderr=True, markup=False, emoji=False, highlight=False))


def results() -> Console:
    """Return the console for results meant to be read."""
    return _plain(Console(markup=False, emoji=False, highlight=False))


def say(lines: Iterable[str], *, to: Console) -> None:
    """Print lines, made printable; where one is longer than the terminal is wide, it goes on in the next, indented."""
    for line in lines:
        to.print(_folded(printable(line), to.width), soft_wrap=True)


def progress(*columns: str | ProgressColumn) -> Progress:
    """Return a display of progress, which is gone at the end; none where standard error is no terminal."""
    console = to_people()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


def json_line(value: Any) -> bytes:
    """Return a value as one line of JSON."""
    return _OBEYED.sub(_escaped, msgspec.json.encode(value)) + b"\n"


def write_json(value: Any) -> None:
    """Write a value to standard output as one line of JSON."""
    sys.stdout.write(json_line(value).decode())


def printable(text: str) -> str:
    """Return text without anything that a terminal would obey."""
    return "".join(
        character if character.isprintable() else " " if character.isspace() else _UNPRINTABLE for character in text
    )


def encodable(text: str) -> str:
    """Return an argument, or a file's name, as text that can be written, whatever bytes it was typed in."""
    return text.encode(errors="backslashreplace").decode()


def counted(number: int, noun: str, nouns: str = "") -> str:
    """Return a number of things: 1 record, 2,000 records."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def size(size_bytes: int) -> str:
    """Return a number of bytes as people write it."""
    return filesize.decimal(size_bytes)


def _plain(console: Console) -> Console:
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    return console


def _folded(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    text = line.lstrip(" ")
    indent = " " * (len(line) - len(text))
    return textwrap.fill(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent + " " * _HANGING,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _escaped(found: re.Match[bytes]) -> bytes:
    return b"\\u%04x" % ord(found[0].decode())


NUMBERS = frozenset({"tinyint", "smallint", "integer", "bigint", "double", "float", "real", "decimal"})
UNLIMITED = 1_000_000
NARROWEST = 8  # what a column can be squeezed to and still be read
EDGE = 3  # a column's line, and the spaces on both sides


def write_table(result: QueryResult, *, to: Console) -> None:
    """Write an answer; where the terminal is too narrow for its columns, each row with a line for each column."""
    table = _table(result)
    if (NARROWEST + EDGE) * len(result.columns) <= to.width or _natural_width(table, to) <= to.width:
        to.print(table)
        return
    for number, row in enumerate(result.rows, 1):
        to.print(f"row {number:,}", style="bold")
        to.print(_record(result, row))


def _table(result: QueryResult) -> Table:
    shown = Table()
    for column in result.columns:
        shown.add_column(_cell(column.name), justify="right" if column.type in NUMBERS else "left", overflow="fold")
    for row in result.rows:
        shown.add_row(*map(_cell, row))
    return shown


def _natural_width(table: Table, console: Console) -> int:
    return console.measure(table, options=console.options.update(max_width=UNLIMITED)).maximum


def _record(result: QueryResult, row: tuple[str | None, ...]) -> Table:
    shown = Table.grid(padding=(0, 2))
    shown.add_column(no_wrap=True)
    shown.add_column(overflow="fold")
    for column, value in zip(result.columns, row, strict=True):
        shown.add_row(_cell(column.name), _cell(value))
    return shown


def _cell(value: str | None) -> Text:
    """Return a value as nothing but text: "[b]" in it is no markup, ":x:" no emoji."""
    return Text("" if value is None else printable(value))
