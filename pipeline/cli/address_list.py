"""Addresses as arguments, on standard input, or in a column of a CSV file."""

import csv
import io
from collections.abc import Iterable, Iterator
from pathlib import Path

from pipeline.cli.output import encodable
from pipeline.cli.sources import STANDARD_INPUT, standard_input
from pipeline.document import strip_json
from pipeline.errors import UsageError

COLUMNS = ("address", "email", "e-mail", "email address", "emailaddress", "email_address", "recipient")
"""The names of the column that is read, without case, if none is named."""

DELIMITERS = ",;\t"


def read_addresses(arguments: Iterable[str]) -> Iterator[str]:
    """Yield each argument as text; for `-`, each line of standard input."""
    for argument in arguments:
        if argument == STANDARD_INPUT:
            lines = map(strip_json, standard_input())
            yield from (line.decode(errors="backslashreplace") for line in lines if line)
        else:
            yield encodable(argument)


def read_csv_addresses(name: str, *, column: str | None) -> Iterator[str]:
    """Yield the addresses in a column of a CSV file whose first row has names. Empty ones are passed over.

    Args:
        name: The file; `-` for standard input.
        column: The column's name, without case; None for one of `COLUMNS`.

    Raises:
        UsageError: The file cannot be read, or has no such column.
    """
    text = _read(name)
    header = text.partition("\n")[0]
    delimiter = max(DELIMITERS, key=header.count)
    rows = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    names = [cell.strip().casefold() for cell in next(rows, [])]
    wanted = (column.casefold(),) if column else COLUMNS
    index = next((names.index(candidate) for candidate in wanted if candidate in names), None)
    if index is None:
        raise UsageError(
            f"{name} has no column {column!r}"
            if column
            else f"{name} has no column of addresses: name it with --column"
        )
    yield from (row[index].strip() for row in rows if len(row) > index and row[index].strip())


def _read(name: str) -> str:
    try:
        data = standard_input().read() if name == STANDARD_INPUT else Path(name).read_bytes()
        return data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot read {name}: it is not UTF-8") from error
