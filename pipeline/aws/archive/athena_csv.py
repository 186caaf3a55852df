"""The CSV of Athena's result files: every value is in quotes, a null is nothing.

docs.aws.amazon.com/athena/latest/ug/querying-finding-output-files.html
"""

import re
from collections.abc import Iterable, Iterator

Row = tuple[str | None, ...]
"""The values of a row as Athena's text for them, None for null."""

_FIELD = re.compile(r'(?:^|,)(?:"((?:[^"]|"")*)")?')


def csv_line(row: Row) -> str:
    """Return a row as a line, with its end."""
    return ",".join("" if value is None else '"{}"'.format(value.replace('"', '""')) for value in row) + "\n"


def read_csv(lines: Iterable[str]) -> Iterator[Row]:
    r"""Yield the rows of a file, that of the column names included.

    Args:
        lines: Lines that end in "\n". A value may contain such ends.
    """
    record = ""
    for line in lines:
        record += line
        if record.count('"') % 2 == 0:
            yield tuple(_value(match) for match in _FIELD.finditer(record.removesuffix("\n")))
            record = ""


def _value(match: re.Match[str]) -> str | None:
    quoted: str | None = match[1]
    return quoted.replace('""', '"') if quoted else quoted
