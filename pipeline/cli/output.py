"""What commands print: lines and progress for people, JSON for programs.

Nothing that is printed contains control characters, or marks that reverse the direction of text: diagnostics and
subjects are texts of strangers, and may contain escape sequences. rich is imported when a console is first used,
because no help needs it.
"""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import msgspec
from rich import filesize

from pipeline.errors import STOPS_BATCH

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, ProgressColumn

FEW = 5  # of many texts that say the same of different things

_UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"
_HANGING_INDENT = 4  # spaces before the rest of a line that is longer than the terminal is wide
_PIPE_WIDTH = 1_000_000  # a program gets whole lines


def say(lines: Iterable[str], *, to: Console) -> None:
    """Print lines, made printable. A line longer than the terminal is wide continues on the next one, indented."""
    for line in lines:
        to.print(_fold(printable(line), to.width), soft_wrap=True)


def to_people() -> Console:
    """Return the console for messages and progress: standard error, so that results can be piped."""
    return _console(stderr=True)


def results() -> Console:
    """Return the console for results that people read: standard output."""
    return _console(stderr=False)


def progress(*columns: str | ProgressColumn) -> Progress:
    """Return a progress display that disappears at the end. It shows nothing if standard error is not a terminal."""
    from rich.progress import Progress  # noqa: PLC0415 - see above

    console = to_people()
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


@contextmanager
def saying_on_stop(line: Callable[[], str], *, is_begun: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """Print a line if an interrupt ends the block, or an error after which the command can be repeated.

    Args:
        line: Returns what is done.
        is_begun: Returns False if nothing is done, so that the error says it all.
    """
    try:
        yield
    except (KeyboardInterrupt, *STOPS_BATCH) as error:
        if is_begun() or isinstance(error, KeyboardInterrupt):
            say([line()], to=to_people())
        raise


def write_json(value: Any) -> None:
    """Write a value to standard output as one line of JSON, which is UTF-8 in any locale."""
    sys.stdout.buffer.write(json_line(value))


def json_line(value: Any) -> bytes:
    """Return a value as one line of JSON. Controls and marks of direction are escaped, which loses nothing."""
    text = msgspec.json.encode(value).decode()
    if not text.isprintable():
        text = "".join(character if character.isprintable() else _escape(character) for character in text)
    return text.encode() + b"\n"


def printable(text: str) -> str:
    """Return a text without control characters and marks of direction, so that it cannot control a terminal."""
    return "".join(
        character if character.isprintable() else " " if character.isspace() else _UNPRINTABLE for character in text
    )


def encodable(text: str) -> str:
    """Return an argument or a file name as text that can be encoded. Bytes that are not UTF-8 become escapes."""
    return text.encode(errors="backslashreplace").decode()


def counted(number: int, noun: str, nouns: str = "") -> str:
    """Return a number with its noun: `1 record`, `2,000 records`."""
    return f"{number:,} {noun if number == 1 else nouns or noun + 's'}"


def first_few(texts: Sequence[str]) -> list[str]:
    """Return texts, or, of many, the first ones and how many there are more."""
    if len(texts) <= FEW:
        return list(texts)
    return [*texts[:FEW], f"and {len(texts) - FEW:,} more"]


def size(size_bytes: int) -> str:
    """Return a number of bytes with a decimal unit: `1.5 GB`."""
    return filesize.decimal(size_bytes)


def _console(*, stderr: bool) -> Console:
    from rich.console import Console  # noqa: PLC0415 - see above

    console = Console(stderr=stderr, markup=False, emoji=False, highlight=False)
    if not console.is_terminal:
        console.width = _PIPE_WIDTH
    return console


def _fold(line: str, width: int) -> str:
    if len(line) <= width:
        return line
    text = line.lstrip(" ")
    indent = " " * (len(line) - len(text))
    return textwrap.fill(
        text,
        width,
        initial_indent=indent,
        subsequent_indent=indent + " " * _HANGING_INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )


def _escape(character: str) -> str:
    """Return JSON's escape for a character: two of them beyond the basic plane."""
    return json.dumps(character)[1:-1]
