"""What was put into the delivery stream is in the log or under the error prefix, and never lost."""

import re
import threading
import time
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
    as_the_log_does,
    delivered,
    errors_in,
    raws_in,
)
from tests.support.fake_s3 import FakeS3
from tests.support.waiting import until


@pytest.mark.usefixtures("aws")
def test_ses_events_become_the_rows_of_the_log_in_s3() -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    s3.create_bucket(Bucket="log")
    events = list(one_of_each().values())
    stream = DeliveryStream(s3, bucket="log", transform=as_the_log_does, buffer_seconds=NEVER, clock=AClock())
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


def test_every_record_gets_an_id_of_its_own() -> None:
    with a_stream(FakeS3()) as stream:
        assert len(set(stream.put([b"{}"] * 3) + stream.put([b"{}"]))) == 4


@pytest.mark.parametrize(
    "records",
    [[], [b"{}"] * 501, [b"x" * (MAX_RECORD_BYTES + 1)], [b"x" * 900_000] * 5],
    ids=["none", "more than 500", "one too large", "all together too large"],
)
def test_a_call_beyond_the_limits_is_refused_as_a_whole(records: list[bytes]) -> None:
    with a_stream(FakeS3()) as stream:
        with pytest.raises(UsageError):
            stream.put(records)
        assert stream.counters.records_in == 0


def test_a_call_at_the_limits_is_taken() -> None:
    records = [b"x" * MAX_RECORD_BYTES] * 4 + [b"x"] * 496
    _, counters = delivered(records, answering(lambda name, _data: [{"recordId": name, "result": "Dropped"}]))
    assert (counters.records_in, counters.dropped) == (500, 500)


def test_poison_keeps_its_bytes_under_the_error_prefix_and_no_event_is_lost_with_it() -> None:
    s3, counters = delivered([a_send(), b"\x00poison", b'{"notificationType":"Received"}'], as_the_log_does)
    (error,) = errors_in(s3, "processing-failed")
    assert b64decode(error["rawData"]) == b"\x00poison"
    assert (counters.rows_out, counters.failed, counters.dropped) == (1, 1, 1)


def test_nothing_is_delivered_before_it_is_due() -> None:
    s3 = FakeS3()
    with a_stream(s3) as stream:
        stream.put([b"1"])
        time.sleep(0.05)
        assert s3.puts == []


def test_a_full_buffer_is_delivered_at_once() -> None:
    s3 = FakeS3()
    with a_stream(s3, buffer_bytes=10) as stream:
        stream.put([b"1234"] * 5)
        assert until(lambda: stream.counters.objects == 2)
        time.sleep(0.02)
        assert [len(rows_in(body)) for body in s3.objects.values()] == [2, 2]
    assert len(raws_in(s3)) == 5


def test_a_record_larger_than_the_buffer_is_delivered_alone() -> None:
    s3 = FakeS3()
    with a_stream(s3, buffer_bytes=2) as stream:
        stream.put([b"12345", b"6"])
    assert [len(rows_in(body)) for body in s3.objects.values()] == [1, 1]


def test_an_old_record_is_delivered_though_the_buffer_is_not_full() -> None:
    s3 = FakeS3()
    with a_stream(s3, buffer_seconds=0.05) as stream:
        stream.put([b"1"])
        assert until(lambda: stream.counters.objects == 1)
        stream.put([b"2"])
        assert until(lambda: stream.counters.objects == 2)


def test_flushing_nothing_makes_no_object() -> None:
    s3 = FakeS3()
    with a_stream(s3) as stream:
        stream.flush(10)
    assert s3.puts == []


def test_while_s3_is_away_records_wait_and_flush_says_why() -> None:
    s3 = FakeS3()
    s3.refused = ("events/",)
    with a_stream(s3) as stream:
        stream.put([b"1"])
        with pytest.raises(ArchiveUnavailable, match=r"1 records of mailfold-events .*: SlowDown"):
            stream.flush(0.1)
        assert stream.trouble == "SlowDown"
        stream.put([b"2"])
        s3.refused = ()
        stream.flush(10)
        assert stream.trouble == ""
        assert stream.counters.rows_out == 2
    assert sorted(raws_in(s3)) == ["1", "2"]
    assert len(set(s3.puts)) == 2


def test_an_object_that_s3_took_is_not_put_again_for_another_that_it_refused() -> None:
    s3 = FakeS3()
    s3.refused = ("errors/",)
    with a_stream(s3, answering(lambda name, data: as_row(name, data) if data == b"good" else [])) as stream:
        stream.put([b"good", b"bad"])
        with pytest.raises(ArchiveUnavailable):
            stream.flush(0.1)
        s3.refused = ()
    assert raws_in(s3) == ["good"]
    assert len([key for key in s3.puts if key.startswith("events/")]) == 1
    assert len({key for key in s3.puts if key.startswith("errors/")}) == 1


@pytest.mark.usefixtures("aws")
def test_a_bucket_that_is_not_there_is_said_by_its_code() -> None:
    s3 = boto3.client("s3", region_name="us-east-1")
    stream = DeliveryStream(s3, bucket="log", transform=AS_ROWS, retry_after_seconds=QUICKLY)
    stream.put([b"1"])
    with pytest.raises(ArchiveUnavailable, match="NoSuchBucket"):
        stream.flush(0.2)
    s3.create_bucket(Bucket="log")
    stream.close(10)
    assert stream.counters.rows_out == 1


def test_an_error_that_nobody_foresaw_is_told_and_loses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    s3 = FakeS3()
    troubles = iter([ZeroDivisionError("made up")] * 2)

    def troubled(*arguments: Any) -> Any:
        for trouble in troubles:
            raise trouble
        return prepare_delivery(*arguments)

    monkeypatch.setattr("pipeline.local.firehose.delivery_stream.prepare_delivery", troubled)
    with a_stream(s3, retry_after_seconds=0.2) as stream:
        stream.put([b"1"])
        with pytest.raises(ArchiveUnavailable, match="ZeroDivisionError"):
            stream.flush(0.1)
        stream.flush(10)
    assert raws_in(s3) == ["1"]


def test_closing_delivers_what_is_left_and_stops_the_thread() -> None:
    s3 = FakeS3()
    with a_stream(s3, name="closing") as stream:
        stream.put([b"1"])
    assert raws_in(s3) == ["1"]
    assert "firehose closing" not in {thread.name for thread in threading.enumerate()}
    with pytest.raises(UsageError, match="closed"):
        stream.put([b"2"])
    stream.close(10)


def test_closing_while_s3_is_away_says_so_and_stops_the_thread() -> None:
    s3 = FakeS3()
    s3.refused = ("events/",)
    stream = DeliveryStream(s3.client(), bucket="log", transform=AS_ROWS, name="away", retry_after_seconds=NEVER)
    stream.put([b"1"])
    with pytest.raises(ArchiveUnavailable):
        stream.close(0.1)
    assert until(lambda: "firehose away" not in {thread.name for thread in threading.enumerate()})


def test_many_threads_may_put_and_flush_at_once() -> None:
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
            thread.join(timeout=20)
        assert sorted(raws_in(s3)) == sorted(f"{worker}-{number}" for worker in range(8) for number in range(25))
        assert stream.counters.rows_out == 200


def test_an_endless_backlog_is_refused_not_held(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buffer, "LEAST_ROOM_BYTES", 1)
    monkeypatch.setattr(delivery_stream, "PUT_TIMEOUT_SECONDS", 0.05)
    s3 = FakeS3()
    s3.refused = ("events/",)
    with a_stream(s3, buffer_bytes=10) as stream:
        for _ in range(4):
            stream.put([b"0123456789"])
        with pytest.raises(ArchiveUnavailable, match="holds all that it can: SlowDown"):
            stream.put([b"too much"])
        s3.refused = ()
        stream.flush(10)
        stream.put([b"again"])
    assert raws_in(s3) == ["0123456789"] * 4 + ["again"]
