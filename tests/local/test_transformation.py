"""A transform gets Firehose's own event, and a record without a good answer from it has failed, alone."""

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


def test_the_transform_gets_firehoses_event() -> None:
    events: list[dict[str, Any]] = []

    def transform(event: dict[str, Any]) -> Mapping[str, Any]:
        events.append(event)
        return {"records": []}

    s3 = FakeS3()
    with a_stream(s3, transform, account_id="210987654321") as stream:
        (name,) = stream.put([b"\x00\xff"])
        stream.flush(10)
    (event,) = events
    assert event.pop("invocationId")
    assert event == {
        "deliveryStreamArn": "arn:aws:firehose:eu-west-1:210987654321:deliverystream/mailfold-events",
        "region": "eu-west-1",
        "records": [{"recordId": name, "approximateArrivalTimestamp": 1_772_409_598_123, "data": "AP8="}],
    }


def test_no_call_of_the_transform_is_larger_than_a_mebibyte_and_order_is_kept() -> None:
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
        (lambda _name, _data: [], "Lambda.MissingRecordId"),
        (lambda _name, data: [ok("another", data)], "Lambda.MissingRecordId"),
        (lambda name, data: [ok(name, data), ok(name, data)], "Lambda.DuplicatedRecordId"),
        (lambda name, _data: [{"recordId": name, "result": "ProcessingFailed"}], "Lambda.ProcessingFailedStatus"),
        (lambda name, _data: [{"recordId": name, "result": "Ok"}], "Lambda.InvalidReturnFormat"),
        (lambda name, _data: [{"recordId": name, "result": "Ok", "data": "%%%"}], "Lambda.InvalidReturnFormat"),
        (lambda name, _data: [{"recordId": name, "result": "Maybe", "data": ""}], "Lambda.InvalidReturnFormat"),
    ],
    ids=["no answer", "an unknown id", "two answers", "failed", "no data", "no base64", "an unknown result"],
)
def test_a_record_without_a_good_answer_is_processing_failed_and_harms_no_other(
    answers: Callable[[str, bytes], list[Answer]], code: str
) -> None:
    s3, counters = delivered(
        [b"good", b"bad", b"fine"],
        answering(lambda name, data: answers(name, data) if data == b"bad" else as_row(name, data)),
    )
    assert raws_in(s3) == ["good", "fine"]
    (error,) = errors_in(s3, "processing-failed")
    assert (error["errorCode"], error["attemptsMade"], b64decode(error["rawData"])) == (code, 1, b"bad")
    assert (counters.rows_out, counters.failed, counters.error_objects) == (2, 1, 1)


@pytest.mark.parametrize("response", [None, [], {}, {"records": None}, {"records": [{"result": "Ok"}]}])
def test_a_response_that_makes_no_sense_fails_its_records_without_another_attempt(response: Any) -> None:
    calls: list[dict[str, Any]] = []

    def transform(event: dict[str, Any]) -> Any:
        calls.append(event)
        return response

    s3, counters = delivered([b"1", b"2"], transform)
    assert [error["errorCode"] for error in errors_in(s3, "processing-failed")] == ["Lambda.MissingRecordId"] * 2
    assert (len(calls), counters.failed) == (1, 2)


def test_a_transform_that_raises_every_time_fails_its_records_after_three_retries(
    caplog: pytest.LogCaptureFixture,
) -> None:
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


def test_a_transform_that_raises_at_first_loses_nothing() -> None:
    failures = iter([RuntimeError("made up")] * 3)

    def transform(event: dict[str, Any]) -> Mapping[str, Any]:
        for failure in failures:
            raise failure
        return AS_ROWS(event)

    s3, counters = delivered([b"1"], transform)
    assert (raws_in(s3), counters.failed) == (["1"], 0)


def test_an_answer_larger_than_lambda_lets_through_is_a_failed_call() -> None:
    too_much = b" " * (MAX_ANSWER_BYTES * 3 // 4 + 1)
    s3, _ = delivered([b"1"], answering(lambda name, _data: [ok(name, too_much)]))
    (error,) = errors_in(s3, "processing-failed")
    assert error["errorCode"] == "Lambda.FunctionError"


def test_dropped_records_make_no_object() -> None:
    s3, counters = delivered([b"1", b"2"], answering(lambda name, _data: [{"recordId": name, "result": "Dropped"}]))
    assert s3.puts == []
    assert counters == DeliveryCounters(records_in=2, dropped=2)
