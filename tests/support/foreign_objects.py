"""Objects that are not the log's, or that are damaged, and why a reader skips each."""

from io import BytesIO
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.aws.archive import parquet
from tests.support.rows import a_row


def damaged() -> bytes:
    """Return a file with a flipped bit, which its checksums find."""
    data = bytearray(parquet.encode_rows([a_row()]))
    data[len(data) // 8] ^= 1
    return bytes(data)


def foreign() -> bytes:
    """Return a Parquet file of another program."""
    return to_file(pa.table({"raw": ["{}"], "event_id": ["1"]}))


def with_other_type() -> bytes:
    """Return the log's columns, one of which has texts in place of lists."""
    table = pq.read_table(BytesIO(parquet.encode_rows([a_row()])))
    index = table.schema.get_field_index("recipients")
    return to_file(table.set_column(index, "recipients", pa.array(["ann@example.com"])))


def rewritten() -> bytes:
    """Return the log's row as S3 Find and Forget writes it, which uses Arrow's flavor for Spark."""
    return to_file(pq.read_table(BytesIO(parquet.encode_rows([a_row()]))), flavor="spark")


def to_file(table: Any, **options: Any) -> bytes:
    """Return a table as a Parquet file."""
    sink = BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


FOREIGN = {
    "text": (b"no Parquet", "not a Parquet file"),
    "no footer": (b"PAR1" + bytes(8) + b"PAR1", "not a Parquet file"),
    "truncated": (parquet.encode_rows([a_row()])[:-100], "not a Parquet file"),
    "flipped bit": (damaged(), "damaged"),
    "other columns": (foreign(), "its columns are not those"),
    "another type": (with_other_type(), "its columns are not those"),
}
