"""Files of the log: what comes back, how ours are laid out, and what else can be read."""

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


def unsorted(data: bytes) -> list[Row]:
    return sorted(parquet.decode_rows(data), key=repr)


@both
@given(rows=any_rows)
@LAWS
def test_every_column_comes_back_as_it_was(compression: Compression, rows: list[Row]) -> None:
    assert parquet.decode_rows(parquet.encode_rows(rows, compression=compression, sort=False)) == rows


@both
@given(rows=any_rows)
@LAWS
def test_sorting_loses_no_row(compression: Compression, rows: list[Row]) -> None:
    assert unsorted(parquet.encode_rows(rows, compression=compression)) == sorted(rows, key=repr)


@both
@pytest.mark.parametrize("number", [0, 1, 47, 48, 49, 960, 961, 2_000])
def test_any_number_of_rows_comes_back(compression: Compression, number: int) -> None:
    rows = [a_row(event_id=f"{each:032x}", occurred_at=None) for each in range(number)]

    assert parquet.decode_rows(parquet.encode_rows(iter(rows), compression=compression)) == rows


@both
def test_raw_comes_back_byte_for_byte(compression: Compression) -> None:
    raw = a_bounce(subject="naïve ✓ 😀 \\u0000 \\ud83d\\ude00 \t")[:-1] + b' ,"novel": [1.0, 1e3, null] }'
    (row,) = rows_of(raw)

    (back,) = parquet.decode_rows(parquet.encode_rows([row], compression=compression))

    assert back.raw.encode() == raw


@both
def test_a_finer_time_is_cut_to_its_millisecond(compression: Compression) -> None:
    fine = datetime(1969, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC)

    (back,) = parquet.decode_rows(parquet.encode_rows([a_row(occurred_at=fine)], compression=compression))

    assert back.occurred_at == fine.replace(microsecond=999_000)


def test_feedback_lies_first_in_a_row_group_of_its_own_that_statistics_tell() -> None:
    file = opened(parquet.encode_rows(EXAMPLES))

    (index,) = (n for n, column in enumerate(file.schema_arrow.names) if column == "is_feedback")
    groups = [file.metadata.row_group(number) for number in range(file.num_row_groups)]
    told = [
        (group.num_rows, group.column(index).statistics.min, group.column(index).statistics.max) for group in groups
    ]

    assert told == [(3, True, True), (8, False, False)]


def test_events_of_a_mail_lie_together() -> None:
    mails = ["b", "a", "c"]
    events = [make(messageId=mail) for make in (a_send, a_delivery, an_open) for mail in mails]

    rows = parquet.decode_rows(parquet.encode_rows(rows_of(*events)))

    assert [row.message_id for row in rows] == [*"aaabbbccc"]


def test_the_same_rows_in_another_order_give_the_same_file() -> None:
    assert parquet.encode_rows(EXAMPLES) == parquet.encode_rows(EXAMPLES[::-1])


def test_our_files_have_checksums_a_page_index_and_zstd() -> None:
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


def test_a_file_as_firehose_writes_it_has_gzip_dictionaries_int96_and_the_order_of_arrival() -> None:
    data = parquet.encode_rows(EXAMPLES, compression="gzip", sort=False)
    file = opened(data)
    group = file.metadata.row_group(0)
    columns = {group.column(index).path_in_schema: group.column(index) for index in range(group.num_columns)}

    assert file.num_row_groups == 1
    assert {column.compression for column in columns.values()} == {"GZIP"}
    assert all(columns[name].has_dictionary_page for name in ("event_id", "raw"))
    assert columns["arrived_at"].physical_type == "INT96"
    assert parquet.decode_rows(data) == EXAMPLES


def test_an_empty_list_is_null_in_a_file_as_firehose_leaves_it_out() -> None:
    rows = [a_row(recipients=(), recipient_domains=(), diagnoses=(), facts=())]
    file = opened(parquet.encode_rows(rows)).read()

    assert [file[name].null_count for name in ("recipients", "recipient_domains", "diagnoses", "facts")] == [1] * 4
    assert parquet.decode_rows(parquet.encode_rows(rows)) == rows


def test_lists_that_another_writer_left_empty_are_read() -> None:
    table = to_table([a_row()])
    for name in ("recipients", "diagnoses", "facts"):
        index = table.schema.get_field_index(name)
        table = table.set_column(index, table.schema.field(name), pa.array([[]], table.schema.field(name).type))

    (row,) = parquet.decode_rows(_written(table))

    assert (row.recipients, row.diagnoses, row.facts) == ((), (), ())


def test_a_file_from_before_a_column_was_added_is_read() -> None:
    columns = [field.name for field in msgspec.structs.fields(Row) if field.required]

    (row,) = parquet.decode_rows(_written(to_table([a_row()]).select(columns)))

    assert row == Row(**{name: getattr(a_row(), name) for name in columns})


def test_a_file_with_a_column_of_a_later_version_is_read() -> None:
    table = to_table([a_row()]).append_column("novel", pa.array(["x"]))

    assert parquet.decode_rows(_written(table)) == [a_row()]


@pytest.mark.parametrize("moment", [datetime.min.replace(tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)])
def test_times_as_int96_keep_the_whole_range(moment: datetime) -> None:
    table = to_table([a_row(occurred_at=moment, sent_at=moment + timedelta(milliseconds=1))])

    (row,) = parquet.decode_rows(_written(table, use_deprecated_int96_timestamps=True))

    assert (row.occurred_at, row.sent_at) == (moment, moment + timedelta(milliseconds=1))


def test_what_is_no_parquet_is_refused() -> None:
    with pytest.raises(pa.ArrowInvalid):
        parquet.decode_rows(b"{}" * 99)


def _written(table: Any, **options: Any) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()
