"""Rows that Firehose writes under its error prefix: one JSON line for each record that it could not deliver. Pure.

Claims: the rows of a failed transformation and of a failed conversion. `rawData` is the record as it was put, so that
`pipeline.decode` reads it again. Keys are spelled as in captures of real objects; the guide calls some of them
`lambdaArn`, `ErrorCode` and `ErrorMessage`. No page says which text AWS keeps of a record that was transformed but not
converted; here it is the original.

docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html,
docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-error-handling.html
"""

from base64 import b64encode
from collections.abc import Iterable
from typing import Any

import msgspec

from pipeline.local.firehose.transformation import FailedRecord

_encode_lines = msgspec.json.Encoder().encode_lines


def processing_failed(failures: Iterable[FailedRecord], *, ended_ms: int, function_arn: str) -> bytes:
    """Return the rows of records that were not transformed.

    Args:
        failures: The records.
        ended_ms: End of the last attempt, in milliseconds since 1970.
        function_arn: The function.
    """
    return _encode_lines(
        {
            "rawData": _raw_data(failure),
            "errorCode": failure.code,
            "errorMessage": failure.message,
            **_attempts(failure, ended_ms),
            "lambdaARN": function_arn,
        }
        for failure in failures
    )


def format_conversion_failed(
    failures: Iterable[FailedRecord], *, ended_ms: int, catalog_table: dict[str, str]
) -> bytes:
    """Return the rows of records that were not converted to Parquet.

    Args:
        failures: The records.
        ended_ms: End of the last attempt, in milliseconds since 1970.
        catalog_table: Glue table whose columns they do not fit, by AWS's keys.
    """
    return _encode_lines(
        {
            **_attempts(failure, ended_ms),
            "lastErrorCode": failure.code,
            "lastErrorMessage": failure.message,
            "rawData": _raw_data(failure),
            "sequenceNumber": None,  # a record's place in a source stream; DirectPut has none
            "subSequenceNumber": None,
            "dataCatalogTable": catalog_table,
        }
        for failure in failures
    )


def _attempts(failure: FailedRecord, ended_ms: int) -> dict[str, Any]:
    return {
        "attemptsMade": failure.attempts,
        "arrivalTimestamp": failure.record.arrived_ms,
        "attemptEndingTimestamp": ended_ms,
    }


def _raw_data(failure: FailedRecord) -> str:
    return b64encode(failure.record.data).decode()
