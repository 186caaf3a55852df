"""Objects have Firehose's names, and error rows lead back to the event."""

import re
import time
from datetime import timedelta

import pytest

from pipeline.decode import decode
from pipeline.event import Envelope, Event
from tests.support.builders import a_bounce, in_sns
from tests.support.delivery_streams import AClock, a_stream, answering, as_row, delivered, errors_in, ok
from tests.support.fake_s3 import FakeS3


def test_error_rows_have_the_keys_of_aws() -> None:
    s3, _ = delivered(
        [b"processing", b"conversion"],
        answering(lambda name, data: [ok(name, b"{")] if data == b"conversion" else []),
    )
    (processing,) = errors_in(s3, "processing-failed")
    (conversion,) = errors_in(s3, "format-conversion-failed")
    assert list(processing) == [
        "rawData",
        "errorCode",
        "errorMessage",
        "attemptsMade",
        "arrivalTimestamp",
        "attemptEndingTimestamp",
        "lambdaARN",
    ]
    assert list(conversion) == [
        "attemptsMade",
        "arrivalTimestamp",
        "attemptEndingTimestamp",
        "lastErrorCode",
        "lastErrorMessage",
        "rawData",
        "sequenceNumber",
        "subSequenceNumber",
        "dataCatalogTable",
    ]
    for error in (processing, conversion):
        assert error["arrivalTimestamp"] == 1_772_409_598_123
        assert abs(error["attemptEndingTimestamp"] / 1000 - time.time()) < 60
    assert processing["lambdaARN"] == (
        "arn:aws:lambda:eu-west-1:123456789012:function:mailfold-events-transform:$LATEST"
    )
    assert conversion["dataCatalogTable"] == {
        "catalogId": "123456789012",
        "databaseName": "mailfold",
        "tableName": "events",
        "region": "eu-west-1",
        "versionId": "LATEST",
    }
    for key in s3.objects:
        assert re.fullmatch(
            r"errors/[a-z-]+-failed/dt=2026-03-01/hr=23/mailfold-events-1-2026-03-01-23-59-58-[0-9a-f-]+", key
        )


@pytest.mark.parametrize("payload", [a_bounce(), a_bounce() + b"\n", in_sns(a_bounce())])
@pytest.mark.parametrize("kind", ["processing-failed", "format-conversion-failed"])
def test_error_rows_decode_to_the_event_that_was_put(payload: bytes, kind: str) -> None:
    became = [] if kind == "processing-failed" else [b"{"]
    s3, _ = delivered([payload], answering(lambda name, _data: [ok(name, data) for data in became]))
    (body,) = s3.objects.values()
    (outcome,), (original,) = decode(body), decode(payload)
    assert isinstance(outcome, Event)
    assert isinstance(original, Event)
    assert outcome.id == original.id
    assert outcome.envelopes == (Envelope.FIREHOSE_ERROR, *original.envelopes)


def test_an_object_is_filed_under_the_arrival_of_its_oldest_record() -> None:
    s3, clock = FakeS3(), AClock()
    with a_stream(s3, clock=clock) as stream:
        stream.put([b"1"])
        clock.now += timedelta(seconds=2)
        stream.put([b"2"])
        stream.flush(10)
        stream.put([b"3"])
    first, second = s3.objects
    assert first.startswith("events/dt=2026-03-01/hr=23/")
    assert second.startswith("events/dt=2026-03-02/hr=00/")


def test_a_failed_record_does_not_date_the_object_of_the_others() -> None:
    s3, clock = FakeS3(), AClock()
    with a_stream(
        s3, answering(lambda name, data: as_row(name, data) if data != b"bad" else []), clock=clock
    ) as stream:
        stream.put([b"bad"])
        clock.now += timedelta(seconds=2)
        stream.put([b"good"])
    assert sorted(key.partition("mailfold")[0] for key in s3.objects) == [
        "errors/processing-failed/dt=2026-03-01/hr=23/",
        "events/dt=2026-03-02/hr=00/",
    ]
