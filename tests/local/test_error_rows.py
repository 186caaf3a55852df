"""Error rows have AWS's keys, and lead back to the event."""

import re
import time

import pytest

from pipeline.decode import decode
from pipeline.event import Envelope, Event
from tests.support.builders import a_bounce, in_sns
from tests.support.delivery_streams import answering, delivered, errors_in, ok


def test_error_rows_have_the_keys_of_aws() -> None:
    """Keys, their order, times, ARNs and object names are those of AWS's error rows."""
    before_ms = round(1000 * time.time())
    s3, _ = delivered(
        [b"processing", b"conversion"],
        answering(lambda record_id, data: [ok(record_id, b"{")] if data == b"conversion" else []),
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
        assert before_ms <= error["attemptEndingTimestamp"] + 1 <= 1000 * time.time() + 2
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
    """An error row decodes to the original event, with one envelope more."""
    outputs = [] if kind == "processing-failed" else [b"{"]
    s3, _ = delivered([payload], answering(lambda record_id, _data: [ok(record_id, output) for output in outputs]))
    (body,) = s3.objects.values()
    (outcome,), (original,) = decode(body), decode(payload)
    assert isinstance(outcome, Event)
    assert isinstance(original, Event)
    assert outcome.id == original.id
    assert outcome.envelopes == (Envelope.FIREHOSE_ERROR, *original.envelopes)
