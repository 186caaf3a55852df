"""The rows that Firehose writes under its error prefix: one JSON line for each record that it could not deliver. Pure.

`rawData` is the record as it was put, so that `pipeline.decode` reads it again. Keys are spelt as captures of real
objects have them: the guide calls some of them `lambdaArn`, `ErrorCode` and `ErrorMessage`. For a record that was
transformed but not converted no page says which of both texts AWS keeps; here it is the original.

docs.aws.amazon.com/firehose/latest/dev/data-transformation-failure-handling.html,
docs.aws.amazon.com/firehose/latest/dev/record-format-conversion-error-handling.html
"""

from base64 import b64encode
from collections.abc import Iterable
from typing import Any

import msgspec

from pipeline.local.firehose.transformation import Failure

_lines = msgspec.json.Encoder().encode_lines


def processing_failed(failures: Iterable[Failure], *, ended_ms: int, function_arn: str) -> bytes:
    """Return the rows of records that were not transformed.

    Args:
        failures: The records.
        ended_ms: When the last attempt ended, in milliseconds since 1970.
        function_arn: The function.
    """
    return _lines(
        {
            "rawData": _base64(failure),
            "errorCode": failure.code,
            "errorMessage": failure.message,
            **_times(failure, ended_ms),
            "lambdaARN": function_arn,
        }
        for failure in failures
    )


def format_conversion_failed(failures: Iterable[Failure], *, ended_ms: int, catalog_table: dict[str, str]) -> bytes:
    """Return the rows of records that did not become Parquet.

    Args:
        failures: The records.
        ended_ms: When the last attempt ended, in milliseconds since 1970.
        catalog_table: The Glue table whose columns they did not fit, by AWS's keys.
    """
    return _lines(
        {
            **_times(failure, ended_ms),
            "lastErrorCode": failure.code,
            "lastErrorMessage": failure.message,
            "rawData": _base64(failure),
            "sequenceNumber": None,  # a record's place in a source stream; DirectPut has none
            "subSequenceNumber": None,
            "dataCatalogTable": catalog_table,
        }
        for failure in failures
    )


def _times(failure: Failure, ended_ms: int) -> dict[str, Any]:
    return {
        "attemptsMade": failure.attempts,
        "arrivalTimestamp": failure.record.arrived_ms,
        "attemptEndingTimestamp": ended_ms,
    }


def _base64(failure: Failure) -> str:
    return b64encode(failure.record.data).decode()
