"""The function gets Firehose's event, and a record without a valid answer fails alone."""

from base64 import b64decode, b64encode
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from pipeline.local.firehose.delivery_stream import DeliveryCounters
from pipeline.local.firehose.transformation import INVOCATION_ATTEMPTS, MAX_ANSWER_BYTES, MAX_INVOCATION_BYTES
from tests.support.delivery_streams import (
    AS_ROWS,
    Answer,
    a_stream,
    answering,
    as_row,
    delivered,
    errors_in,
    ok,
    raws_in,
)
from tests.support.fake_s3 import FakeS3


def test_the_function_gets_firehoses_event() -> None:
    """The event has the keys that Firehose sends for DirectPut."""
    events: list[dict[str, Any]] = []

    def transform(event: dict[str, Any]) -> Mapping[str, Any]:
        events.append(event)
        return {"records": []}

    s3 = FakeS3()
    with a_stream(s3, transform, account_id="210987654321") as stream:
        (id_,) = stream.put([b"\x00\xff"])
        stream.flush(10)
    (event,) = events
    assert event.pop("invocationId")
    assert event == {
        "deliveryStreamArn": "arn:aws:firehose:eu-west-1:210987654321:deliverystream/mailfold-events",
        "region": "eu-west-1",
        "records": [{"recordId": id_, "approximateArrivalTimestamp": 1_772_409_598_123, "data": "AP8="}],
    }


def test_an_invocation_has_at_most_a_mebibyte() -> None:
    """A buffer is split into invocations, and the order of records is kept."""
    sizes: list[int] = []

    def transform(event: dict[str, Any]) -> Mapping[str, Any]:
        sizes.append(sum(len(b64decode(record["data"])) for record in event["records"]))
        return AS_ROWS(event)

    records = [b"%03d" % number + b" " * 99_997 for number in range(25)]
    s3, _ = delivered(records, transform)
    assert max(sizes) <= MAX_INVOCATION_BYTES
    assert len(sizes) == 3
    assert [raw[:3] for raw in raws_in(s3)] == [f"{number:03d}" for number in range(25)]


@pytest.mark.parametrize(
    ("answers", "code"),
    [
        (lambda _id, _data: [], "Lambda.MissingRecordId"),
        (lambda _id, data: [ok("another", data)], "Lambda.MissingRecordId"),
        (lambda id_, data: [ok(id_, data), ok(id_, data)], "Lambda.DuplicatedRecordId"),
        (
            lambda id_, _data: [{"recordId": id_, "result": "ProcessingFailed"}],
            "Lambda.ProcessingFailedStatus",
        ),
        (lambda id_, _data: [{"recordId": id_, "result": "Ok"}], "Lambda.InvalidReturnFormat"),
        (
            lambda id_, _data: [{"recordId": id_, "result": "Ok", "data": "%%%"}],
            "Lambda.InvalidReturnFormat",
        ),
        (
            lambda id_, _data: [{"recordId": id_, "result": "Maybe", "data": ""}],
            "Lambda.InvalidReturnFormat",
        ),
    ],
    ids=["no answer", "an unknown id", "two answers", "failed", "no data", "no base64", "an unknown result"],
)
def test_a_record_without_a_valid_answer_fails_alone(answers: Callable[[str, bytes], list[Answer]], code: str) -> None:
    """Such a record becomes an error row with AWS's code, and the records beside it become rows."""
    s3, counters = delivered(
        [b"good", b"bad", b"fine"],
        answering(lambda id_, data: answers(id_, data) if data == b"bad" else as_row(id_, data)),
    )
    assert raws_in(s3) == ["good", "fine"]
    (error,) = errors_in(s3, "processing-failed")
    assert (error["errorCode"], error["attemptsMade"], b64decode(error["rawData"])) == (code, 1, b"bad")
    assert (counters.rows_out, counters.failed, counters.error_objects) == (2, 1, 1)


@pytest.mark.parametrize("response", [None, [], {}, {"records": None}, {"records": [{"result": "Ok"}]}])
def test_an_invalid_response_is_not_retried(response: Any) -> None:
    """An invalid response fails all records of its invocation at the first attempt."""
    calls: list[dict[str, Any]] = []

    def transform(event: dict[str, Any]) -> Any:
        calls.append(event)
        return response

    s3, counters = delivered([b"1", b"2"], transform)
    assert [error["errorCode"] for error in errors_in(s3, "processing-failed")] == ["Lambda.MissingRecordId"] * 2
    assert (len(calls), counters.failed) == (1, 2)


def test_a_function_that_always_raises_fails_its_records(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """After three retries all records become error rows, and the log holds no payload."""
    calls: list[dict[str, Any]] = []

    def transform(event: dict[str, Any]) -> Mapping[str, Any]:
        calls.append(event)
        raise RuntimeError(event["records"][0]["data"])

    s3, counters = delivered([b"ada@example.com", b"2"], transform)
    first, second = errors_in(s3, "processing-failed")
    assert len(calls) == INVOCATION_ATTEMPTS == 4
    assert (first["errorCode"], first["attemptsMade"]) == ("Lambda.FunctionError", 4)
    assert [b64decode(first["rawData"]), b64decode(second["rawData"])] == [b"ada@example.com", b"2"]
    assert counters.failed == 2
    assert "RuntimeError" in caplog.text
    assert b64encode(b"ada@example.com").decode() not in caplog.text


def test_a_function_that_raises_at_first_loses_nothing() -> None:
    """The last retry succeeds, and no record fails."""
    failures = iter([RuntimeError("made up")] * 3)

    def transform(event: dict[str, Any]) -> Mapping[str, Any]:
        for failure in failures:
            raise failure
        return AS_ROWS(event)

    s3, counters = delivered([b"1"], transform)
    assert (raws_in(s3), counters.failed) == (["1"], 0)


def test_an_answer_over_lambdas_limit_is_a_failed_invocation() -> None:
    """An answer of more than 6 MB counts as an error of the function."""
    too_large = b" " * (MAX_ANSWER_BYTES * 3 // 4 + 1)
    s3, _ = delivered([b"1"], answering(lambda id_, _data: [ok(id_, too_large)]))
    (error,) = errors_in(s3, "processing-failed")
    assert error["errorCode"] == "Lambda.FunctionError"


def test_dropped_records_make_no_object() -> None:
    """Records that the function drops are counted and not written."""
    s3, counters = delivered([b"1", b"2"], answering(lambda id_, _data: [{"recordId": id_, "result": "Dropped"}]))
    assert s3.puts == []
    assert counters == DeliveryCounters(records_in=2, dropped=2)
