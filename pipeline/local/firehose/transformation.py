"""Firehose's invocation of the Lambda function that transforms its records.

Claims: Lambda's event for DirectPut; invocations of at most 1 MB; an answer for each recordId, or the record fails;
three retries of an invocation that raises an error or returns more than Lambda allows, none of an answer that is not
valid; AWS's error codes.
Leaves out: the wait between retries, and parallel invocations.

docs.aws.amazon.com/firehose/latest/dev/data-transformation.html,
docs.aws.amazon.com/firehose/latest/dev/data-transformation-status-model.html,
docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html
"""

import logging
from base64 import b64decode, b64encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import msgspec

from pipeline.aws.batching import batches
from pipeline.errors import describe

Transform = Callable[[dict[str, Any]], Mapping[str, Any]]
"""The function: it takes Firehose's event and returns its answer."""

MAX_INVOCATION_BYTES = 1024 * 1024  # BufferSizeInMBs, whose default is 1
MAX_ANSWER_BYTES = 6 * 1024 * 1024  # Lambda's limit (lambda/latest/dg/gettingstarted-limits.html)
INVOCATION_ATTEMPTS = 4  # NumberOfRetries is 3 by default

_log = logging.getLogger(__name__)


class BufferedRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A record as it was put.

    Attributes:
        id: Record id.
        data: The record's bytes.
        arrived_ms: Time of the put, in milliseconds since 1970.
    """

    id: str
    data: bytes
    arrived_ms: int


class FailedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be delivered.

    Attributes:
        record: The record, as it was put.
        code: AWS's error code.
        message: AWS's error message.
        attempts: Number of attempts.
    """

    record: BufferedRecord
    code: str
    message: str
    attempts: int


class TransformOutcome(msgspec.Struct, kw_only=True):
    """Result of transforming records.

    Attributes:
        ok: Records, each with the function's output for it.
        dropped: Number of records that the function drops.
        failed: All other records.
    """

    ok: list[tuple[BufferedRecord, bytes]] = msgspec.field(default_factory=list)
    dropped: int = 0
    failed: list[FailedRecord] = msgspec.field(default_factory=list)


class _Answer(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    record_id: str
    result: str
    data: str | None = None


class _Response(msgspec.Struct, frozen=True):
    records: list[_Answer] = []


def transform_records(
    records: Iterable[BufferedRecord], *, transform: Transform, stream_arn: str, region: str
) -> TransformOutcome:
    """Transform records. An error of the function is not raised: its records fail.

    Args:
        records: Records in order of arrival.
        transform: The function.
        stream_arn: Delivery stream, for the event.
        region: Its region.
    """
    outcome = TransformOutcome()
    for batch in batches(records, size_bytes=lambda record: len(record.data), max_bytes=MAX_INVOCATION_BYTES):
        event = {
            "invocationId": str(uuid4()),
            "deliveryStreamArn": stream_arn,
            "region": region,
            "records": [_lambda_record(record) for record in batch],
        }
        answers = _invoke(transform, event)
        for record in batch:
            _add(record, answers, outcome)
    return outcome


def _lambda_record(record: BufferedRecord) -> dict[str, Any]:
    return {
        "recordId": record.id,
        "approximateArrivalTimestamp": record.arrived_ms,
        "data": b64encode(record.data).decode(),
    }


def _invoke(transform: Transform, event: dict[str, Any]) -> dict[str, list[_Answer]] | None:
    """Return the function's answers by record id; None if it failed at every attempt."""
    for _ in range(INVOCATION_ATTEMPTS):
        try:
            response = transform(event)
        except Exception as error:  # noqa: BLE001 - to Firehose, any error of the function is a failed invocation
            _log.warning("the transform failed a batch of %d: %s", len(event["records"]), describe(error))
            continue
        answers = _read(response)
        if sum(len(answer.data or "") for answer in answers) <= MAX_ANSWER_BYTES:
            return _by_id(answers)
        _log.warning("the transform's answer to a batch of %d is larger than 6 MB", len(event["records"]))
    return None


def _read(response: object) -> Sequence[_Answer]:
    try:
        return msgspec.convert(response, _Response).records
    except msgspec.ValidationError:
        return ()


def _by_id(answers: Sequence[_Answer]) -> dict[str, list[_Answer]]:
    by_id: dict[str, list[_Answer]] = {}
    for answer in answers:
        by_id.setdefault(answer.record_id, []).append(answer)
    return by_id


def _add(record: BufferedRecord, answers: dict[str, list[_Answer]] | None, outcome: TransformOutcome) -> None:
    """Add a record to the outcome by its answer. As in AWS, an answer for an unknown record id is ignored."""
    if answers is None:
        message = "The Lambda function was successfully invoked but it returned an error result."
        outcome.failed.append(_failure(record, "FunctionError", message, attempts=INVOCATION_ATTEMPTS))
        return
    match answers.get(record.id, ()):
        case []:
            message = "One or more record Ids were not returned."
            outcome.failed.append(_failure(record, "MissingRecordId", message))
        case [_Answer(result="Dropped")]:
            outcome.dropped += 1
        case [_Answer(result="Ok", data=str(text))] if (data := _decode(text)) is not None:
            outcome.ok.append((record, data))
        case [_Answer(result="ProcessingFailed")]:
            message = "ProcessingFailed status set for record"
            outcome.failed.append(_failure(record, "ProcessingFailedStatus", message))
        case [_]:
            message = "The result is none of Ok, Dropped and ProcessingFailed, or its data is not base64."
            outcome.failed.append(_failure(record, "InvalidReturnFormat", message))
        case _:
            message = "Multiple records were returned with the same record Id."
            outcome.failed.append(_failure(record, "DuplicatedRecordId", message))


def _decode(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return None


def _failure(record: BufferedRecord, code: str, message: str, *, attempts: int = 1) -> FailedRecord:
    return FailedRecord(record=record, code=f"Lambda.{code}", message=message, attempts=attempts)
