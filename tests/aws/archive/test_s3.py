"""The log in S3, beyond what every archive promises: what is read, and what is left alone."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import BotoCoreError, EndpointConnectionError
from moto import mock_aws

from pipeline.aws.archive import parquet
from pipeline.aws.archive.s3 import READ_BYTES, S3Archive
from pipeline.aws.clients import create_client
from pipeline.errors import UsageError
from pipeline.row import Row, row_facts
from tests.support.builders import ADA, a_bounce, a_send
from tests.support.rows import ARRIVED_AT, a_row

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "mailfold-log"
HOUR = timedelta(hours=1)
NOON = ARRIVED_AT.replace(minute=0, second=0)
FOLDER = "events/dt=2026-03-01/hr=12/"  # of ARRIVED_AT


@pytest.fixture
def s3() -> Iterator[S3Client]:
    """Give S3 with an empty bucket."""
    with mock_aws():
        s3 = create_client("s3", region="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield s3


@pytest.fixture
def archive(s3: S3Client) -> S3Archive:
    return S3Archive(s3, bucket=BUCKET)


def keys(s3: S3Client) -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def put(s3: S3Client, key: str, data: bytes) -> None:
    s3.put_object(Bucket=BUCKET, Key=key, Body=data)


def rows_in(archive: S3Archive, **bounds: Any) -> list[Row]:
    return [row for lot in archive.rows(**bounds) for row in lot]


def test_each_hour_of_arrival_gets_one_object_in_its_folder(s3: S3Client, archive: S3Archive) -> None:
    archive.append([a_row(arrived_at=ARRIVED_AT + hours * HOUR, event_id=str(hours)) for hours in (0, 0.1, 1, 13)])

    folders = [key.rpartition("/")[0] for key in keys(s3)]
    assert folders == ["events/dt=2026-03-01/hr=12", "events/dt=2026-03-01/hr=13", "events/dt=2026-03-02/hr=01"]


def test_the_same_rows_in_another_order_replace_themselves(s3: S3Client, archive: S3Archive) -> None:
    rows = [a_row(a_bounce(feedback_id=name)) for name in "abc"]

    archive.append(rows)
    archive.append(rows[::-1])

    assert len(keys(s3)) == 1


def test_what_firehose_wrote_is_read_whatever_its_name(s3: S3Client, archive: S3Archive) -> None:
    rows = [a_row(a_send()), a_row(a_bounce())]
    name = "mailfold-events-1-2026-03-01-12-04-59-0c3f8a6e-6a0b-4f5e-9d8e-6f4f6f0b2c11"
    put(s3, FOLDER + name, parquet.encode_rows(rows, compression="gzip", sort=False))

    assert rows_in(archive) == rows
    assert [finding for scan in archive.scan_facts() for finding in scan.facts] == list(row_facts(rows[1]))


def test_a_row_is_found_in_the_hour_before_its_own_where_firehose_may_leave_it(
    s3: S3Client, archive: S3Archive
) -> None:
    late = a_row(arrived_at=ARRIVED_AT + HOUR)
    put(s3, FOLDER + "file", parquet.encode_rows([a_row(), late], compression="gzip"))

    assert rows_in(archive, since=ARRIVED_AT + HOUR) == [late]


@pytest.mark.parametrize(
    "key",
    [
        "errors/format-conversion-failed/dt=2026-03-01/hr=12/file",
        "events/errors/processing-failed/dt=2026-03-01/hr=12/file",
        "events/dt=2026-03-01/file",
        "events/file",
        "other/dt=2026-03-01/hr=12/file",
        f"{FOLDER}deeper/file",
        f"{FOLDER}_SUCCESS",
        f"{FOLDER}.hidden",
    ],
)
def test_what_is_not_the_log_is_passed_over(s3: S3Client, archive: S3Archive, key: str) -> None:
    put(s3, key, b"no Parquet")
    archive.append([a_row()])

    assert rows_in(archive) == [a_row()]


def test_an_empty_object_is_passed_over(s3: S3Client, archive: S3Archive) -> None:
    put(s3, FOLDER, b"")
    put(s3, f"{FOLDER}file", b"")
    archive.append([a_row()])

    assert rows_in(archive) == [a_row()]


def test_only_the_hours_asked_for_are_read(s3: S3Client, archive: S3Archive) -> None:
    for hours in range(5):
        archive.append([a_row(arrived_at=ARRIVED_AT + hours * HOUR)])
    read: list[str] = []
    s3.meta.events.register("provide-client-params.s3.GetObject", lambda params, **_: read.append(params["Key"]))

    list(archive.scan_facts(since=NOON + 2 * HOUR, until=NOON + 3 * HOUR))

    # The hour before too, where Firehose may have left some.
    assert sorted({key.split("/")[2] for key in read}) == ["hr=13", "hr=14"]


def test_a_log_of_several_pages_is_read_whole(s3: S3Client, archive: S3Archive) -> None:
    for number in range(5):
        put(s3, f"{FOLDER}{number}", parquet.encode_rows([a_row()]))
    s3.meta.events.register("provide-client-params.s3.ListObjectsV2", lambda params, **_: params.update(MaxKeys=2))

    assert rows_in(archive) == [a_row()] * 5


def test_finding_facts_reads_a_small_part_of_the_bytes(s3: S3Client, archive: S3Archive) -> None:
    random = Random(1)  # noqa: S311 - text that does not compress
    sends = [a_row(a_send(), raw=random.randbytes(2_500).hex()) for _ in range(2_000)]
    archive.append([*sends, a_row()])
    sent: list[int] = []
    s3.meta.events.register("after-call.s3.GetObject", lambda parsed, **_: sent.append(parsed["ContentLength"]))

    scans = list(archive.scan_facts())

    (entry,) = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert sum(scan.rows for scan in scans) == len(sends) + 1
    assert [finding.key.address for scan in scans for finding in scan.facts] == [ADA]
    assert entry["Size"] > 4 * READ_BYTES
    assert sum(sent) < entry["Size"] / 2


def test_what_is_no_parquet_is_named(s3: S3Client, archive: S3Archive) -> None:
    put(s3, f"{FOLDER}file", b"no Parquet")

    with pytest.raises(UsageError, match=f"s3://{BUCKET}/{FOLDER}file is no Parquet file"):
        rows_in(archive)


def test_a_damaged_file_is_named(s3: S3Client, archive: S3Archive) -> None:
    data = bytearray(parquet.encode_rows([a_row()]))
    data[len(data) // 8] ^= 1
    put(s3, f"{FOLDER}file", bytes(data))

    with pytest.raises(UsageError, match=f"s3://{BUCKET}/{FOLDER}file is no Parquet file"):
        rows_in(archive)


def test_what_the_reader_raises_between_rows_is_left_alone(archive: S3Archive) -> None:
    archive.append([a_row()])

    def read() -> None:
        for _ in archive.rows():
            raise EndpointConnectionError(endpoint_url="https://dynamodb")

    with pytest.raises(BotoCoreError):
        read()
