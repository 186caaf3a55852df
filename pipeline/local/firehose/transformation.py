"""Firehose's call of the Lambda that transforms its records.

Claims: Lambda's event for DirectPut; a buffer cut into calls of 1 MB; an answer for each recordId, or the record has
failed; three retries of a call that raises an error or whose answer is larger than Lambda lets through, none of an
answer that makes no sense; AWS's error codes.
Leaves out: the wait between retries, and calls side by side.

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
"""The function: takes Firehose's event, returns its answer."""

CALL_BYTES = 1024 * 1024  # BufferSizeInMBs, whose default is 1
ANSWER_BYTES = 6 * 1024 * 1024  # Lambda's limit (lambda/latest/dg/gettingstarted-limits.html)
ATTEMPTS = 4  # NumberOfRetries is 3 unless one says otherwise

_log = logging.getLogger(__name__)


class BufferedRecord(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """What was put.

    Attributes:
        id: Its record id.
        data: Its bytes.
        arrived_ms: When it was put, in milliseconds since 1970.
    """

    id: str
    data: bytes
    arrived_ms: int


class FailedRecord(msgspec.Struct, frozen=True, kw_only=True):
    """A record that could not be delivered.

    Attributes:
        record: The record, as it was put.
        code: AWS's code for the reason.
        message: The reason, for people.
        attempts: How often it was tried.
    """

    record: BufferedRecord
    code: str
    message: str
    attempts: int


class TransformOutcome(msgspec.Struct, kw_only=True):
    """What the function made of records.

    Attributes:
        ok: Records with what they became.
        dropped: How many it wanted to drop.
        failed: The others.
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
    """Return what the function makes of the records. Raises nothing that it raises.

    Args:
        records: In order of arrival.
        transform: The function.
        stream_arn: The delivery stream, for the event.
        region: Where it is.
    """
    transformed = TransformOutcome()
    for batch in batches(records, size_bytes=lambda record: len(record.data), max_bytes=CALL_BYTES):
        event = {
            "invocationId": str(uuid4()),
            "deliveryStreamArn": stream_arn,
            "region": region,
            "records": [_for_lambda(record) for record in batch],
        }
        answers = _call(transform, event)
        for record in batch:
            _sort_in(record, answers, transformed)
    return transformed


def _for_lambda(record: BufferedRecord) -> dict[str, Any]:
    return {
        "recordId": record.id,
        "approximateArrivalTimestamp": record.arrived_ms,
        "data": b64encode(record.data).decode(),
    }


def _call(transform: Transform, event: dict[str, Any]) -> dict[str, list[_Answer]] | None:
    """Return the function's answers by record id; None if it failed however often it was called."""
    for _ in range(ATTEMPTS):
        try:
            response = transform(event)
        except Exception as error:  # noqa: BLE001 - Firehose takes whatever a function raises for a failed call
            _log.warning("the transform failed a batch of %d: %s", len(event["records"]), describe(error))
            continue
        answers = _read(response)
        if sum(len(answer.data or "") for answer in answers) <= ANSWER_BYTES:
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


def _sort_in(record: BufferedRecord, answers: dict[str, list[_Answer]] | None, transformed: TransformOutcome) -> None:
    """Put a record where its answer belongs. An answer to no record of the call is ignored, as AWS does."""
    if answers is None:
        message = "The Lambda function was successfully invoked but it returned an error result."
        transformed.failed.append(_failure(record, "FunctionError", message, attempts=ATTEMPTS))
        return
    match answers.get(record.id, ()):
        case []:
            message = "One or more record Ids were not returned."
            transformed.failed.append(_failure(record, "MissingRecordId", message))
        case [_Answer(result="Dropped")]:
            transformed.dropped += 1
        case [_Answer(result="Ok", data=str(text))] if (data := _decoded(text)) is not None:
            transformed.ok.append((record, data))
        case [_Answer(result="ProcessingFailed")]:
            message = "ProcessingFailed status set for record"
            transformed.failed.append(_failure(record, "ProcessingFailedStatus", message))
        case [_]:
            message = "The result is none of Ok, Dropped and ProcessingFailed, or its data is not base64."
            transformed.failed.append(_failure(record, "InvalidReturnFormat", message))
        case _:
            message = "Multiple records were returned with the same record Id."
            transformed.failed.append(_failure(record, "DuplicatedRecordId", message))


def _decoded(text: str) -> bytes | None:
    try:
        return b64decode(text, validate=True)
    except ValueError:
        return None


def _failure(record: BufferedRecord, code: str, message: str, *, attempts: int = 1) -> FailedRecord:
    return FailedRecord(record=record, code=f"Lambda.{code}", message=message, attempts=attempts)
