"""Data Firehose's API, as far as it takes records: PutRecord and PutRecordBatch.

What else Firehose has is the backend's affair.
docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
"""

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from werkzeug.wrappers import Request, Response

from pipeline.errors import UsageError
from pipeline.local.gateway.protocols import ApiError, json_call

Put = Callable[[Sequence[bytes]], Sequence[str]]
"""A delivery stream's way in: takes records, all or none, and gives an id for each. See `firehose.DeliveryStream`."""

SERVICE = "Firehose_20150804"


class FirehoseApi:
    """Answers requests that put records.

    Args:
        streams: The ways into delivery streams, by name.
    """

    def __init__(self, streams: Mapping[str, Put]) -> None:
        self._streams = streams
        self._operations = {
            f"{SERVICE}.PutRecord": self._put_record,
            f"{SERVICE}.PutRecordBatch": self._put_record_batch,
        }

    def answer(self, request: Request) -> Response | None:
        """Return the answer to a request; None if it is for the backend alone."""
        return json_call(
            request, self._operations, wrong="InvalidArgumentException", unavailable="ServiceUnavailableException"
        )

    def _put_record(self, request: dict[str, Any]) -> dict[str, Any]:
        (record_id,) = self._put(request)([_data(request["Record"])])
        return {"RecordId": record_id, "Encrypted": False}

    def _put_record_batch(self, request: dict[str, Any]) -> dict[str, Any]:
        record_ids = self._put(request)([_data(record) for record in request["Records"]])
        responses = [{"RecordId": record_id} for record_id in record_ids]
        return {"FailedPutCount": 0, "Encrypted": False, "RequestResponses": responses}

    def _put(self, request: dict[str, Any]) -> Put:
        name = request.get("DeliveryStreamName", "")
        if name not in self._streams:
            raise ApiError("ResourceNotFoundException", f"there is no delivery stream {name} here")
        return self._streams[name]


def _data(record: dict[str, Any]) -> bytes:
    try:
        return b64decode(record["Data"], validate=True)
    except ValueError as error:
        raise UsageError("a record's Data is not base64") from error
