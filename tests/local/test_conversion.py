"""Rows become Parquet by the log's schema, and a record that is not a row fails alone."""

from base64 import b64decode
from io import BytesIO

import msgspec
import pyarrow.parquet as pq
import pytest

from pipeline.aws.archive.parquet import decode_rows as rows_in
from tests.support.delivery_streams import AS_ROWS, a_row, answering, as_row, delivered, errors_in, ok, raws_in


def test_parquet_is_compressed_with_gzip() -> None:
    """The log's objects have the compression that the template sets."""
    s3, _ = delivered([b"{}"], AS_ROWS)
    (body,) = s3.objects.values()
    assert pq.ParquetFile(BytesIO(body)).metadata.row_group(0).column(0).compression == "GZIP"


@pytest.mark.parametrize(
    ("output", "code"),
    [
        (b"{", "ParseError"),
        (b"\xff", "ParseError"),
        (b" \n", "MalformedData"),
        (b"[]", "MalformedData"),
        (b'{"event_id":1}', "MalformedData"),
        (msgspec.json.encode(a_row()) + b"\n{}\n", "MalformedData"),
        (msgspec.json.encode(a_row(processing_time_ms=2**63)), "MalformedData"),
    ],
    ids=["no JSON", "no UTF-8", "empty", "no object", "wrong type", "one good line, one bad", "beyond its column"],
)
def test_a_record_that_is_not_a_row_fails_alone(output: bytes, code: str) -> None:
    """Such a record becomes an error row with AWS's code, and the records beside it become rows."""
    s3, counters = delivered(
        [b"good", b"bad", b"fine"],
        answering(lambda record_id, data: [ok(record_id, output)] if data == b"bad" else as_row(record_id, data)),
    )
    assert raws_in(s3) == ["good", "fine"]
    (error,) = errors_in(s3, "format-conversion-failed")
    assert error["lastErrorCode"] == f"DataFormatConversion.{code}"
    assert b64decode(error["rawData"]) == b"bad"
    assert (counters.rows_out, counters.failed, counters.error_objects) == (2, 1, 1)


def test_each_line_of_a_record_becomes_a_row() -> None:
    """A record of two lines becomes two rows."""
    lines = b"".join(msgspec.json.encode(a_row(raw=raw)) + b"\n" for raw in "ab")
    s3, counters = delivered([b"1"], answering(lambda record_id, _data: [ok(record_id, lines)]))
    assert (raws_in(s3), counters.rows_out) == (["a", "b"], 2)


def test_a_key_without_a_column_is_dropped() -> None:
    """Firehose silently drops a key for which the table has no column."""
    output = msgspec.json.encode(a_row())[:-1] + b',"no_column":1}'
    s3, _ = delivered([b"1"], answering(lambda record_id, _data: [ok(record_id, output)]))
    (body,) = s3.objects.values()
    assert rows_in(body) == [a_row()]
