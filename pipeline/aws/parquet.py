"""Files of the log: rows as Parquet, and back.

Two kinds are written. Our own are laid out for replay and for size. The other is as Firehose writes them, for the
Firehose on this machine. Both are read alike, as are files with older columns.
"""

from collections.abc import Iterable
from io import BytesIO
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.aws.arrow import to_rows, to_table
from pipeline.row import Row

ROWS_PER_GROUP = 100_000  # about 180 MB of text, and 18 MB of file
ZSTD_LEVEL = 1  # of rows sorted by mail, level 3 makes no smaller files, and takes a quarter longer

# Whose values come again and again; for any other column a dictionary is time lost.
_REPEATED = (
    *("event_type", "ses_type", "source", "source_arn", "sending_account_id", "subject", "configuration_set"),
    *("tags.key_value.key", "tags.key_value.value.list.element", "recipient_domains.list.element", "reporting_mta"),
)


def encode(rows: Iterable[Row], *, compression: Literal["zstd", "gzip"] = "zstd", sort: bool = True) -> bytes:
    """Return rows as one Parquet file.

    Args:
        rows: Given one by one they need not all be held, only their columns.
        compression: zstd for our own files. gzip makes a file as Firehose does (which knows no zstd): dictionaries
            everywhere, times as INT96.
        sort: Put feedback first, in a row group of its own, so that a replay reads little else; and the rest by
            mail, whose events repeat most of each other's raw text. False: leave the order, as Firehose does.
    """
    table = to_table(rows, sort=sort)
    sink = BytesIO()
    with pq.ParquetWriter(sink, table.schema, compression=compression, **_options(table, compression)) as writer:
        for part in _parts(table) if sort else [table]:
            writer.write_table(part, row_group_size=ROWS_PER_GROUP)
    return sink.getvalue()


def decode(data: bytes) -> list[Row]:
    """Return the rows of a file, in its order.

    Raises:
        pyarrow.ArrowInvalid: It is no Parquet file.
        OSError: It is damaged.
    """
    return to_rows(opened(pa.BufferReader(data)).read(use_threads=False))


def opened(source: Any) -> Any:
    """Return a `pyarrow.parquet.ParquetFile`; times that Firehose wrote as INT96 keep their whole range."""
    return pq.ParquetFile(source, coerce_int96_timestamp_unit="ms", page_checksum_verification=True, pre_buffer=True)


def _options(table: Any, compression: str) -> dict[str, Any]:
    if compression == "gzip":
        return {"use_deprecated_int96_timestamps": True, "store_schema": False}
    return {
        "compression_level": ZSTD_LEVEL,
        "store_schema": False,
        "use_dictionary": list(_REPEATED),
        "write_page_checksum": True,
        "write_page_index": True,
        "write_statistics": [name for name in table.schema.names if name != "raw"],  # nobody asks for a range of raw
    }


def _parts(table: Any) -> list[Any]:
    """Return the feedback at a sorted table's beginning, and the rest."""
    feedback = pc.sum(table["is_feedback"]).as_py() or 0
    return [part for part in (table.slice(0, feedback), table.slice(feedback)) if part.num_rows]
