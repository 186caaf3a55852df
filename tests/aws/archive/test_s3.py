"""The event log in S3, beyond the contract of archives: its objects, and which of them are read."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from io import BytesIO
from random import Random
from typing import TYPE_CHECKING, Any

import pyarrow.parquet as pq
import pytest
from botocore.exceptions import BotoCoreError, EndpointConnectionError
from moto import mock_aws

from pipeline.aws.archive import parquet
from pipeline.aws.archive.objects import READ_BYTES
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.archive.skipped import SkippedObject
from pipeline.aws.clients import create_client
from pipeline.row import Row, row_facts
from tests.support.builders import ADA, a_bounce, a_send
from tests.support.foreign_objects import FOREIGN, rewritten, to_file
from tests.support.rows import ARRIVED_AT, a_row

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "mailfold-log"
HOUR = timedelta(hours=1)
NOON = ARRIVED_AT.replace(minute=0, second=0)
YEARS_LATER = ARRIVED_AT.replace(year=2030)
FOLDER = "events/dt=2026-03-01/hr=12/"  # of ARRIVED_AT


@pytest.fixture
def s3() -> Iterator[S3Client]:
    """Yield moto's S3 with an empty bucket."""
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
    return [row for batch in archive.rows(**bounds) for row in batch]


def test_each_hour_of_events_has_one_object(s3: S3Client, archive: S3Archive) -> None:
    """Its folder names date and hour."""
    archive.append(
        [
            a_row(occurred_at=NOON + hours * HOUR, arrived_at=YEARS_LATER, event_id=str(hours))
            for hours in (0, 0.1, 1, 13)
        ]
    )

    folders = [key.rpartition("/")[0] for key in keys(s3)]
    assert folders == ["events/dt=2026-03-01/hr=12", "events/dt=2026-03-01/hr=13", "events/dt=2026-03-02/hr=01"]


def test_rows_appended_again_replace_themselves(s3: S3Client, archive: S3Archive) -> None:
    """In any order."""
    rows = [a_row(a_bounce(feedback_id=name)) for name in "abc"]

    archive.append(rows)
    archive.append(rows[::-1])

    assert len(keys(s3)) == 1


def test_an_object_of_firehose_is_read(s3: S3Client, archive: S3Archive) -> None:
    """Its name does not end in .parquet."""
    rows = [a_row(a_send()), a_row(a_bounce())]
    name = "mailfold-events-1-2026-03-01-12-04-59-0c3f8a6e-6a0b-4f5e-9d8e-6f4f6f0b2c11"
    put(s3, FOLDER + name, parquet.encode_rows(rows, compression="gzip", sort=False))

    assert rows_in(archive) == rows
    assert [fact for scan in archive.scan_facts() for fact in scan.facts] == list(row_facts(rows[1]))


def test_a_row_in_the_folder_of_the_hour_before_is_found(s3: S3Client, archive: S3Archive) -> None:
    """Firehose puts an object into the hour of its oldest row."""
    late = a_row(occurred_at=ARRIVED_AT + HOUR, arrived_at=ARRIVED_AT + HOUR)
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
        f"{FOLDER}_part",
        f"{FOLDER}.hidden",
    ],
)
def test_an_object_with_another_key_is_skipped(s3: S3Client, archive: S3Archive, key: str) -> None:
    """Error prefixes and hidden files are not part of the log."""
    put(s3, key, b"no Parquet")
    archive.append([a_row()])

    assert rows_in(archive) == [a_row()]
    assert [skipped.uri for skipped in archive.skipped] == (
        [f"s3://{BUCKET}/{key}"] if key.startswith("events/") else []
    )


def test_hadoops_markers_are_not_named(s3: S3Client, archive: S3Archive) -> None:
    """They lie beside the data that a job of Spark or EMR has rewritten, and hold none."""
    for name in ("_SUCCESS", ".part-0.parquet.crc", "_started_123", "_committed_123", "hr=13_$folder$"):
        put(s3, f"{FOLDER}{name}", b"marker")
        put(s3, f"events/{name}", b"")
    archive.append([a_row()])

    assert rows_in(archive) == [a_row()]
    assert archive.skipped == []


def test_an_empty_object_is_skipped(s3: S3Client, archive: S3Archive) -> None:
    """It is named, unless a console created it as a folder."""
    put(s3, FOLDER, b"")
    put(s3, f"{FOLDER}file", b"")
    archive.append([a_row()])

    assert rows_in(archive) == [a_row()]
    assert archive.skipped == [SkippedObject(f"s3://{BUCKET}/{FOLDER}file", "it is empty")]


def test_only_objects_of_the_requested_hours_are_read(s3: S3Client, archive: S3Archive) -> None:
    """And those of the hour before, where Firehose may have left some rows, and of the 7 days after."""
    for hours in (*range(4), 7 * 24 + 2, 7 * 24 + 3):
        archive.append([a_row(occurred_at=NOON + hours * HOUR, arrived_at=YEARS_LATER)])
    read: list[str] = []
    s3.meta.events.register("provide-client-params.s3.GetObject", lambda params, **_: read.append(params["Key"]))

    list(archive.scan_facts(since=NOON + 2 * HOUR, until=NOON + 3 * HOUR))

    assert sorted({"/".join(key.split("/")[1:3]) for key in read}) == [
        *(f"dt=2026-03-01/hr={hour}" for hour in (13, 14, 15)),
        *(f"dt=2026-03-08/hr={hour}" for hour in (14, 15)),
    ]


def test_all_pages_of_a_listing_are_read(s3: S3Client, archive: S3Archive) -> None:
    """S3 lists at most 1,000 objects at once."""
    for number in range(5):
        put(s3, f"{FOLDER}{number}", parquet.encode_rows([a_row()]))
    s3.meta.events.register("provide-client-params.s3.ListObjectsV2", lambda params, **_: params.update(MaxKeys=2))

    assert rows_in(archive) == [a_row()] * 5


def test_finding_facts_reads_few_bytes(s3: S3Client, archive: S3Archive) -> None:
    """Row groups without feedback are not downloaded."""
    random = Random(1)  # noqa: S311 - text that does not compress
    sends = [a_row(a_send(), raw=random.randbytes(2_500).hex()) for _ in range(2_000)]
    archive.append([*sends, a_row()])
    bytes_sent: list[int] = []
    s3.meta.events.register("after-call.s3.GetObject", lambda parsed, **_: bytes_sent.append(parsed["ContentLength"]))

    scans = list(archive.scan_facts())

    (entry,) = s3.list_objects_v2(Bucket=BUCKET)["Contents"]
    assert sum(scan.rows for scan in scans) == len(sends) + 1
    assert [fact.key.address for scan in scans for fact in scan.facts] == [ADA]
    assert entry["Size"] > 4 * READ_BYTES
    assert sum(bytes_sent) < entry["Size"] / 2


@pytest.mark.parametrize(("data", "why"), FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize("bound", [None, ARRIVED_AT.replace(year=2030)])
def test_a_foreign_or_broken_object_is_named_and_skipped(
    s3: S3Client, archive: S3Archive, data: bytes, why: str, bound: datetime | None
) -> None:
    """All other objects are read."""
    put(s3, f"{FOLDER}0-foreign", data)
    archive.append([a_row()])

    assert rows_in(archive, until=bound) == [a_row()]
    assert 1 <= sum(len(scan.facts) for scan in archive.scan_facts(until=bound)) <= 2  # some before the damage

    assert {skipped.uri for skipped in archive.skipped} == {f"s3://{BUCKET}/{FOLDER}0-foreign"}
    assert all(why in skipped.why for skipped in archive.skipped)


def test_an_object_that_find_and_forget_rewrote_is_the_log_s(s3: S3Client, archive: S3Archive) -> None:
    """Its times are INT96; one from which every row was deleted has no rows."""
    put(s3, f"{FOLDER}rewritten", rewritten())
    put(s3, f"{FOLDER}emptied", to_file(pq.read_table(BytesIO(rewritten())).slice(1), flavor="spark"))

    assert rows_in(archive) == rows_in(archive, since=ARRIVED_AT - HOUR, until=YEARS_LATER) == [a_row()]
    assert sum(len(scan.facts) for scan in archive.scan_facts()) == 1
    assert archive.skipped == []


def test_an_error_of_the_consumer_is_not_translated(archive: S3Archive) -> None:
    """Only errors of S3 and of Arrow are."""
    archive.append([a_row()])

    def read() -> None:
        for _ in archive.rows():
            raise EndpointConnectionError(endpoint_url="https://dynamodb")

    with pytest.raises(BotoCoreError):
        read()
