"""Files of the event log: round trips, both layouts, and older and foreign files."""

import io
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings

from pipeline.aws.archive import parquet
from pipeline.aws.archive.parquet import to_table
from pipeline.row import Row
from tests.support.builders import a_bounce, a_decision, a_delivery, a_send, an_open, one_of_each
from tests.support.rows import a_row, any_rows, rows_of

EXAMPLES = rows_of(*one_of_each().values(), a_decision())
LAWS = settings(max_examples=30, deadline=None)

Compression = Literal["zstd", "gzip"]
both = pytest.mark.parametrize("compression", ["zstd", "gzip"])


def opened(data: bytes) -> Any:
    return pq.ParquetFile(pa.BufferReader(data))


def sorted_rows(data: bytes) -> list[Row]:
    return sorted(parquet.decode_rows(data), key=repr)


@both
@given(rows=any_rows)
@LAWS
def test_rows_survive_a_round_trip(compression: Compression, rows: list[Row]) -> None:
    """Every column of any rows is read as it was written, in the same order."""
    assert parquet.decode_rows(parquet.encode_rows(rows, compression=compression, sort=False)) == rows


@both
@given(rows=any_rows)
@LAWS
def test_sorting_loses_no_row(compression: Compression, rows: list[Row]) -> None:
    """Only the order changes."""
    assert sorted_rows(parquet.encode_rows(rows, compression=compression)) == sorted(rows, key=repr)


@both
@pytest.mark.parametrize("number", [0, 1, 47, 48, 49, 960, 961, 2_000])
def test_any_number_of_rows_survives_a_round_trip(compression: Compression, number: int) -> None:
    """Portions of any size are converted, the last ones too."""
    rows = [a_row(event_id=f"{index:032x}", occurred_at=None) for index in range(number)]

    assert parquet.decode_rows(parquet.encode_rows(iter(rows), compression=compression)) == rows


@both
def test_raw_survives_byte_for_byte(compression: Compression) -> None:
    """Escapes, spaces and number formats stay as received."""
    raw = a_bounce(subject="naïve ✓ 😀 \\u0000 \\ud83d\\ude00 \t")[:-1] + b' ,"novel": [1.0, 1e3, null] }'
    (row,) = rows_of(raw)

    (row_read,) = parquet.decode_rows(parquet.encode_rows([row], compression=compression))

    assert row_read.raw.encode() == raw


@both
def test_a_time_is_truncated_to_its_millisecond(compression: Compression) -> None:
    """Before 1970 too, where rounding towards zero would go up."""
    fine = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)

    (row_read,) = parquet.decode_rows(parquet.encode_rows([a_row(occurred_at=fine)], compression=compression))

    assert row_read.occurred_at == fine.replace(microsecond=999_000)


def test_feedback_is_first_in_a_row_group_by_itself() -> None:
    """The statistics prove it, so that a replay skips the other row groups."""
    file = opened(parquet.encode_rows(EXAMPLES))

    (index,) = (n for n, column in enumerate(file.schema_arrow.names) if column == "is_feedback")
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    statistics = [
        (group.num_rows, group.column(index).statistics.min, group.column(index).statistics.max) for group in groups
    ]

    assert statistics == [(3, True, True), (8, False, False)]


def test_events_of_a_mail_are_adjacent() -> None:
    """They compress together."""
    mails = ["b", "a", "c"]
    events = [make(messageId=mail) for make in (a_send, a_delivery, an_open) for mail in mails]

    rows = parquet.decode_rows(parquet.encode_rows(rows_of(*events)))

    assert [row.message_id for row in rows] == [*"aaabbbccc"]


def test_the_order_of_rows_does_not_change_the_file() -> None:
    """So appending the same rows again replaces the object."""
    assert parquet.encode_rows(EXAMPLES) == parquet.encode_rows(EXAMPLES[::-1])


def test_a_file_has_checksums_page_index_and_zstd() -> None:
    """A flipped bit is an error."""
    file = opened(parquet.encode_rows(EXAMPLES))
    column = file.metadata.row_group(0).column(0)

    assert (column.compression, column.has_column_index, column.has_offset_index) == ("ZSTD", True, True)
    with pytest.raises(OSError, match="CRC"):
        parquet.decode_rows(_corrupted(parquet.encode_rows(EXAMPLES, sort=False)))


def _corrupted(data: bytes) -> bytes:
    """Flip a bit in the middle of the last column's page."""
    group = opened(data).metadata.row_group(0)
    column = group.column(group.num_columns - 1)
    place = column.data_page_offset + column.total_compressed_size // 2
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


def test_firehoses_layout() -> None:
    """It has gzip, dictionaries, INT96 and the order of arrival."""
    data = parquet.encode_rows(EXAMPLES, compression="gzip", sort=False)
    file = opened(data)
    group = file.metadata.row_group(0)
    columns = {group.column(index).path_in_schema: group.column(index) for index in range(group.num_columns)}

    assert file.num_row_groups == 1
    assert {column.compression for column in columns.values()} == {"GZIP"}
    assert all(columns[name].has_dictionary_page for name in ("event_id", "raw"))
    assert columns["arrived_at"].physical_type == "INT96"
    assert parquet.decode_rows(data) == EXAMPLES


def test_an_empty_list_is_null_in_a_file() -> None:
    """Firehose leaves empty lists out."""
    rows = [a_row(recipients=(), recipient_domains=(), diagnoses=(), facts=())]
    file = opened(parquet.encode_rows(rows)).read()

    assert [file[name].null_count for name in ("recipients", "recipient_domains", "diagnoses", "facts")] == [1] * 4
    assert parquet.decode_rows(parquet.encode_rows(rows)) == rows


def test_an_empty_list_of_another_writer_is_read() -> None:
    """It becomes an empty tuple, like null."""
    table = to_table([a_row()])
    for name in ("recipients", "diagnoses", "facts"):
        index = table.schema.get_field_index(name)
        table = table.set_column(index, table.schema.field(name), pa.array([[]], table.schema.field(name).type))

    (row,) = parquet.decode_rows(_written(table))

    assert (row.recipients, row.diagnoses, row.facts) == ((), (), ())


def test_a_file_without_later_columns_is_read() -> None:
    """Columns that it lacks have their defaults."""
    columns = [field.name for field in msgspec.structs.fields(Row) if field.required]

    (row,) = parquet.decode_rows(_written(to_table([a_row()]).select(columns)))

    assert row == Row(**{name: getattr(a_row(), name) for name in columns})


def test_a_file_with_unknown_columns_is_read() -> None:
    """Columns of a later version are ignored."""
    table = to_table([a_row()]).append_column("novel", pa.array(["x"]))

    assert parquet.decode_rows(_written(table)) == [a_row()]


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_int96_times_keep_the_whole_range(moment: datetime) -> None:
    """Arrow would read them as nanoseconds, which end in 2262."""
    table = to_table([a_row(occurred_at=moment, sent_at=moment + timedelta(milliseconds=1))])

    (row,) = parquet.decode_rows(_written(table, use_deprecated_int96_timestamps=True))

    assert (row.occurred_at, row.sent_at) == (moment, moment + timedelta(milliseconds=1))


def test_another_file_format_is_an_error() -> None:
    """JSON under the prefix is not read as rows."""
    with pytest.raises(pa.ArrowInvalid):
        parquet.decode_rows(b"{}" * 99)


def _written(table: Any, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()
