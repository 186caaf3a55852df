"""A record that was put is in the log or under the error prefix, and never lost."""

import re
import threading
from base64 import b64decode
from contextlib import closing
from typing import Any

import boto3
import pytest

from pipeline.aws.archive.parquet import decode_rows as rows_in
from pipeline.decode import decode
from pipeline.errors import ArchiveUnavailable, UsageError
from pipeline.event import Event
from pipeline.local.firehose import buffer, delivery_stream
from pipeline.local.firehose.delivery import prepare_delivery
from pipeline.local.firehose.delivery_stream import MAX_RECORD_BYTES, DeliveryCounters, DeliveryStream
from pipeline.row import to_row
from tests.support.builders import a_send, one_of_each
from tests.support.delivery_streams import (
    ARRIVED_AT,
    AS_ROWS,
    NEVER,
    QUICKLY,
    AClock,
    a_stream,
    answering,
    as_row,
    delivered,
    errors_in,
    raws_in,
    to_log_row,
)
from tests.support.fake_s3 import FakeS3
from tests.support.waiting import until


@pytest.mark.usefixtures("aws")
def test_ses_events_become_rows_of_the_log() -> None:
    """One event of each type is in one Parquet object with Firehose's name, as the row that Python derives."""
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="log")
    events = list(one_of_each().values())
    stream = DeliveryStream(s3, bucket="log", transform=to_log_row, buffer_seconds=NEVER, clock=AClock())
    with closing(stream):
        stream.put([event + b"\n" for event in events])
        stream.flush(10)
        (entry,) = s3.list_objects_v2(Bucket="log")["Contents"]
        body = s3.get_object(Bucket="log", Key=entry["Key"])["Body"].read()
        assert stream.counters == DeliveryCounters(records_in=10, rows_out=10, objects=1, object_bytes=len(body))
    expected = [
        to_row(outcome, arrived_at=ARRIVED_AT)
        for event in events
        for outcome in decode(event)
        if isinstance(outcome, Event)
    ]
    assert rows_in(body) == expected
    uuid = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    pattern = rf"events/dt=2026-03-01/hr=23/mailfold-events-1-2026-03-01-23-59-58-{uuid}\.parquet"
    assert re.fullmatch(pattern, entry["Key"])


def test_each_record_gets_another_id() -> None:
    """The ids of several calls are all different."""
    with a_stream(FakeS3()) as stream:
        assert len(set(stream.put([b"{}"] * 3) + stream.put([b"{}"]))) == 4


@pytest.mark.parametrize(
    "records",
    [[], [b"{}"] * 501, [b"x" * (MAX_RECORD_BYTES + 1)], [b"x" * 900_000] * 5],
    ids=["none", "more than 500", "one too large", "all together too large"],
)
def test_a_call_over_a_limit_is_rejected_whole(records: list[bytes]) -> None:
    """A call that exceeds a limit of PutRecordBatch puts none of its records."""
    with a_stream(FakeS3()) as stream:
        with pytest.raises(UsageError):
            stream.put(records)
        assert stream.counters.records_in == 0


def test_a_call_at_the_limits_is_accepted() -> None:
    """A call with the most records and the most bytes is accepted."""
    records = [b"x" * MAX_RECORD_BYTES] * 4 + [b"x"] * 496
    _, counters = delivered(records, answering(lambda record_id, _data: [{"recordId": record_id, "result": "Dropped"}]))
    assert (counters.records_in, counters.dropped) == (500, 500)


def test_poison_is_kept_under_the_error_prefix() -> None:
    """Poison keeps its bytes in an error row, and the event beside it is in the log."""
    s3, counters = delivered([a_send(), b"\x00poison", b'{"notificationType":"Received"}'], to_log_row)
    (error,) = errors_in(s3, "processing-failed")
    assert b64decode(error["rawData"]) == b"\x00poison"
    assert (counters.rows_out, counters.failed, counters.dropped) == (1, 1, 1)


def test_nothing_is_delivered_before_it_is_due() -> None:
    """A small and fresh buffer is not written."""
    s3 = FakeS3()
    with a_stream(s3) as stream:
        stream.put([b"1"])
        assert not until(lambda: s3.puts, timeout_seconds=0.1)


def test_a_full_buffer_is_delivered_at_once() -> None:
    """Full buffers become objects without delay, and the rest stays."""
    s3 = FakeS3()
    with a_stream(s3, buffer_bytes=10) as stream:
        stream.put([b"1234"] * 5)
        assert until(lambda: stream.counters.objects == 2)
        assert not until(lambda: len(s3.puts) > 2, timeout_seconds=0.05)
        assert [len(rows_in(body)) for body in s3.objects.values()] == [2, 2]
    assert len(raws_in(s3)) == 5


def test_a_record_larger_than_the_buffer_is_delivered_alone() -> None:
    """A record that exceeds the buffer's size becomes an object by itself."""
    s3 = FakeS3()
    with a_stream(s3, buffer_bytes=2) as stream:
        stream.put([b"12345", b"6"])
    assert [len(rows_in(body)) for body in s3.objects.values()] == [1, 1]


def test_an_old_record_is_delivered_from_a_small_buffer() -> None:
    """The age of the oldest record makes a delivery due."""
    s3 = FakeS3()
    with a_stream(s3, buffer_seconds=0.05) as stream:
        stream.put([b"1"])
        assert until(lambda: stream.counters.objects == 1)
        stream.put([b"2"])
        assert until(lambda: stream.counters.objects == 2)


def test_flushing_nothing_makes_no_object() -> None:
    """Flushing an empty buffer puts nothing."""
    s3 = FakeS3()
    with a_stream(s3) as stream:
        stream.flush(10)
    assert s3.puts == []


def test_records_wait_while_s3_fails() -> None:
    """Flushing raises S3's error code; later all records arrive, and no object has two names."""
    s3 = FakeS3()
    s3.rejected = ("events/",)
    with a_stream(s3) as stream:
        stream.put([b"1"])
        with pytest.raises(ArchiveUnavailable, match=r"1 records of mailfold-events .*: SlowDown"):
            stream.flush(0.1)
        assert stream.last_error == "SlowDown"
        stream.put([b"2"])
        s3.rejected = ()
        stream.flush(10)
        assert stream.last_error == ""
        assert stream.counters.rows_out == 2
    assert sorted(raws_in(s3)) == ["1", "2"]
    assert len(set(s3.puts)) == 2


def test_a_retry_puts_only_the_object_that_failed() -> None:
    """Of a delivery with two objects, the one that S3 has is not put again."""
    s3 = FakeS3()
    s3.rejected = ("errors/",)
    with a_stream(s3, answering(lambda record_id, data: as_row(record_id, data) if data == b"good" else [])) as stream:
        stream.put([b"good", b"bad"])
        with pytest.raises(ArchiveUnavailable):
            stream.flush(0.1)
        s3.rejected = ()
    assert raws_in(s3) == ["good"]
    assert len([key for key in s3.puts if key.startswith("events/")]) == 1
    assert len({key for key in s3.puts if key.startswith("errors/")}) == 1


@pytest.mark.usefixtures("aws")
def test_a_missing_bucket_is_reported_and_waited_for() -> None:
    """Flushing raises NoSuchBucket, and records are delivered once the bucket exists."""
    s3 = boto3.client("s3", region_name="us-east-1")
    stream = DeliveryStream(s3, bucket="log", transform=AS_ROWS, retry_after_seconds=QUICKLY)
    stream.put([b"1"])
    with pytest.raises(ArchiveUnavailable):
        stream.flush(0.01)
    assert until(lambda: stream.last_error) == "NoSuchBucket"
    with pytest.raises(ArchiveUnavailable, match="NoSuchBucket"):
        stream.flush(0.01)
    s3.create_bucket(Bucket="log")
    stream.close(10)
    assert stream.counters.rows_out == 1


def test_an_unexpected_error_is_reported_and_retried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Flushing raises the type of an internal error, and the records are delivered later."""
    s3 = FakeS3()
    errors = iter([ZeroDivisionError("made up")] * 2)

    def failing(*arguments: Any) -> Any:
        for error in errors:
            raise error
        return prepare_delivery(*arguments)

    monkeypatch.setattr("pipeline.local.firehose.delivery_stream.prepare_delivery", failing)
    with a_stream(s3, retry_after_seconds=0.2) as stream:
        stream.put([b"1"])
        with pytest.raises(ArchiveUnavailable, match="ZeroDivisionError"):
            stream.flush(0.1)
        stream.flush(10)
    assert raws_in(s3) == ["1"]


def test_closing_delivers_the_rest_and_stops_the_thread() -> None:
    """A closed stream has delivered all its records, has no thread and accepts no more."""
    s3 = FakeS3()
    with a_stream(s3, name="closing") as stream:
        stream.put([b"1"])
    assert raws_in(s3) == ["1"]
    assert "firehose closing" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(UsageError, match="closed"):
        stream.put([b"2"])
    stream.close(10)


def test_closing_while_s3_fails_raises_and_stops_the_thread() -> None:
    """Closing raises an error for records that it cannot deliver, and ends its thread."""
    s3 = FakeS3()
    s3.rejected = ("events/",)
    stream = DeliveryStream(s3.client(), bucket="log", transform=AS_ROWS, name="failing", retry_after_seconds=NEVER)
    stream.put([b"1"])
    with pytest.raises(ArchiveUnavailable):
        stream.close(0.1)
    assert until(lambda: "firehose failing" not in {thread.name for thread in threading.enumerate()})


def test_many_threads_put_and_flush_at_once() -> None:
    """No record is lost or delivered twice if several threads put and flush."""
    s3 = FakeS3()
    with a_stream(s3, buffer_bytes=200) as stream:

        def work(worker: int) -> None:
            for number in range(25):
                stream.put([b"%d-%d" % (worker, number)])
            stream.flush(10)

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(timeout=120)
        assert sorted(raws_in(s3)) == sorted(f"{worker}-{number}" for worker in range(8) for number in range(25))
        assert stream.counters.rows_out == 200


def test_an_endless_backlog_is_rejected(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once four buffers are waiting, a put fails with S3's code, and works again later."""
    monkeypatch.setattr(buffer, "LEAST_ROOM_BYTES", 1)
    monkeypatch.setattr(delivery_stream, "PUT_TIMEOUT_SECONDS", 0.05)
    s3 = FakeS3()
    s3.rejected = ("events/",)
    with a_stream(s3, buffer_bytes=10) as stream:
        for _ in range(4):
            stream.put([b"0123456789"])
        with pytest.raises(ArchiveUnavailable, match="is full: SlowDown"):
            stream.put([b"too much"])
        s3.rejected = ()
        stream.flush(10)
        stream.put([b"again"])
    assert raws_in(s3) == ["0123456789"] * 4 + ["again"]
