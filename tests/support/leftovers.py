"""Builders of leftovers: objects and messages in the formats in which each hop keeps what it could not process.

docs.aws.amazon.com/lambda/latest/dg/ (kinesis-on-failure-destination, invocation-async-retain-records),
docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html
"""

import json
from typing import Any

import msgspec

from pipeline.aws.quarantine import QuarantineObject
from pipeline.batch import StreamRecord
from pipeline.leftover import Leftover, Place
from pipeline.local.firehose.error_rows import format_conversion_failed, processing_failed
from pipeline.local.firehose.transformation import BufferedRecord, FailedRecord
from tests.support.builders import OCCURRED_AT
from tests.support.lambda_events import ARRIVED_MS, SHARD, STREAM_ARN, a_kinesis_event, an_sns_event, sequence_number

QUARANTINE_KEY = "quarantine/ab/ab12.json"
ERROR_KEY = "errors/processing-failed/dt=2026-03-01/hr=12/mail-events-1-2026-03-01-12-00-00-1a2b"
BATCH_KEY = f"aws/lambda/1a2b3c/{SHARD}/2026/03/01/2026-03-01T12.00.00-1a2b"
RULE_ATTRIBUTES: Any = {
    "ERROR_CODE": {"DataType": "String", "StringValue": "NO_PERMISSIONS"},
    "ERROR_MESSAGE": {"DataType": "String", "StringValue": "The role may not put for ada@example.com"},
}


def a_leftover(*payloads: bytes, name: str = QUARANTINE_KEY, place: Place = Place.QUARANTINE, **more: Any) -> Leftover:
    """Return a leftover with these records."""
    fields: dict[str, Any] = {
        "reason": "not a JSON document",
        "position": "feedback shard 17",
        "at": OCCURRED_AT,
        "size_bytes": sum(map(len, payloads)),
    }
    records = [StreamRecord(payload=payload, position=f"{name}:{number}") for number, payload in enumerate(payloads)]
    return Leftover(id=name, place=place, records=tuple(records), **fields | more)


def a_quarantine_object(payload: bytes, *, reason: str = "not a JSON document", position: str = "feedback 17") -> bytes:
    """Return an object of the quarantine."""
    return msgspec.json.encode(QuarantineObject(reason=reason, position=position, payload_base64=payload))


def an_error_object(*payloads: bytes) -> bytes:
    """Return Firehose's object with records that it could not transform."""
    return processing_failed(_failed(payloads), ended_ms=ARRIVED_MS, function_arn="arn:aws:lambda:::function:transform")


def a_conversion_error_object(*payloads: bytes) -> bytes:
    """Return Firehose's object with records that it could not convert to Parquet."""
    return format_conversion_failed(_failed(payloads), ended_ms=ARRIVED_MS, catalog_table={"tableName": "events"})


def a_discarded_batch(*payloads: bytes, **info: Any) -> dict[str, Any]:
    """Return what Lambda writes for a batch that it discarded, with the batch as text in `payload`."""
    batch = {
        "shardId": SHARD,
        "startSequenceNumber": sequence_number(0),
        "endSequenceNumber": sequence_number(len(payloads) - 1),
        "approximateArrivalOfFirstRecord": "2026-03-01T12:00:05.678Z",
        "approximateArrivalOfLastRecord": "2026-03-01T12:00:05.678Z",
        "batchSize": len(payloads),
        "streamArn": STREAM_ARN,
    }
    return {
        "requestContext": _context(),
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "version": "1.0",
        "timestamp": "2026-03-07T12:00:05.678Z",
        "KinesisBatchInfo": batch | info,
        "payload": json.dumps(a_kinesis_event(*payloads)),
    }


def a_batch_reference(size: int, **info: Any) -> dict[str, Any]:
    """Return what a failure destination gets that is no bucket: the batch without its records."""
    document = a_discarded_batch(*[b"{}"] * size, **info)
    del document["payload"]
    return document


def a_discarded_call(*messages: bytes) -> dict[str, Any]:
    """Return what Lambda writes for an asynchronous call by SNS that it discarded."""
    return {
        "version": "1.0",
        "timestamp": "2026-03-01T12:05:05.678Z",
        "requestContext": _context(),
        "requestPayload": an_sns_event(*messages),
        "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
        "responsePayload": {"errorMessage": "the table is unavailable", "errorType": "StoreUnavailable"},
    }


def _context() -> dict[str, Any]:
    return {
        "requestId": "c9b8fa9f-5a7f-xmpl-af9c-0c604cde93a5",
        "functionArn": "arn:aws:lambda:us-east-1:123456789012:function:projector",
        "condition": "RetryAttemptsExhausted",
        "approximateInvokeCount": 3,
    }


def _failed(payloads: tuple[bytes, ...]) -> list[FailedRecord]:
    return [
        FailedRecord(
            record=BufferedRecord(id=str(number), data=payload, arrived_ms=ARRIVED_MS),
            attempts=1,
            code="Lambda.ProcessingFailedStatus",
            message="ProcessingFailed status set for record",
        )
        for number, payload in enumerate(payloads)
    ]
