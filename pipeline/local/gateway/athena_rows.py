"""The rows of a query's result in a file, so that a large result takes no memory.

The file is the one that Athena writes into S3. It has no name, so that a process that is killed leaves nothing.
"""

import os
from collections.abc import Iterator
from io import StringIO
from tempfile import TemporaryFile
from threading import Lock
from typing import BinaryIO

from pipeline.aws.archive.athena import ResultColumn
from pipeline.aws.archive.athena_csv import Row, csv_line, read_csv
from pipeline.errors import UsageError

BLOCK_ROWS = 1_000
"""Rows between two positions that are known."""


class ResultRows:
    """The rows, as CSV behind a line with the names of the columns. Safe to read from several threads.

    Attributes:
        size_bytes: The file's size.
    """

    def __init__(self) -> None:
        self._file = TemporaryFile()  # noqa: SIM115 - closed by `close`
        self._lock = Lock()
        self._blocks: list[int] = []
        self._count = 0
        self.size_bytes = 0

    def write(self, columns: tuple[ResultColumn, ...], rows: Iterator[Row]) -> "ResultRows":
        """Write all rows in place of those that it has."""
        self._file.seek(0)
        self._file.truncate()
        self._blocks, self._count = [], 0
        self._write(tuple(column.name for column in columns))
        for row in rows:
            if self._count % BLOCK_ROWS == 0:
                self._blocks.append(self._file.tell())
            self._count += 1
            self._write(row)
        self._file.flush()
        self.size_bytes = self._file.tell()
        return self

    def __len__(self) -> int:
        """Return the number of rows."""
        return self._count

    def __iter__(self) -> Iterator[Row]:
        """Yield all rows."""
        for block in range(len(self._blocks)):
            yield from self._read(block)

    def part(self, start: int, stop: int) -> list[Row]:
        """Return rows by their index.

        Raises:
            UsageError: The result has expired.
        """
        first, last = start // BLOCK_ROWS, max(0, stop - 1) // BLOCK_ROWS
        rows = [row for block in range(first, min(last + 1, len(self._blocks))) for row in self._read(block)]
        return rows[start - first * BLOCK_ROWS : stop - first * BLOCK_ROWS]

    def open_file(self) -> BinaryIO:
        """Return the file, open at its start."""
        file = os.fdopen(os.dup(self._file.fileno()), "rb")
        file.seek(0)
        return file

    def close(self) -> None:
        """Delete the file."""
        with self._lock:
            self._file.close()

    def _write(self, row: Row) -> None:
        self._file.write(csv_line(row).encode())

    def _read(self, block: int) -> Iterator[Row]:
        start, end = (*self._blocks, self.size_bytes)[block : block + 2]
        with self._lock:
            if self._file.closed:
                raise UsageError("the result of the query has expired: run it again")
            data = os.pread(self._file.fileno(), end - start, start)
        return read_csv(StringIO(data.decode(), newline="\n"))
