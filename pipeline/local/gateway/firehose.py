"""Amazon Data Firehose's API, as far as it accepts records.

Claims: PutRecord and PutRecordBatch. A batch is accepted or rejected as a whole.
Leaves out: every other operation. The backend answers those.
docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html
"""

from base64 import b64decode
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from werkzeug.wrappers import Request, Response

from pipeline.errors import UsageError
from pipeline.local.gateway.protocols import ApiError, call_json

Put = Callable[[Sequence[bytes]], Sequence[str]]
"""Puts records into a delivery stream and returns an id for each. See `firehose.DeliveryStream.put`."""

SERVICE = "Firehose_20150804"


class FirehoseApi:
    """Handler of requests that put records.

    Args:
        streams: The `put` of each delivery stream, by the stream's name.
    """

    def __init__(self, streams: Mapping[str, Put]) -> None:
        self._streams = streams
        self._operations = {
            f"{SERVICE}.PutRecord": self._put_record,
            f"{SERVICE}.PutRecordBatch": self._put_record_batch,
        }

    def handle(self, request: Request) -> Response | None:
        """Return the response to a request, or None if the request is for the backend."""
        return call_json(
            request, self._operations, invalid="InvalidArgumentException", unavailable="ServiceUnavailableException"
        )

    def _put_record(self, request: dict[str, Any]) -> dict[str, Any]:
        (record_id,) = self._stream(request)([_data(request["Record"])])
        return {"RecordId": record_id, "Encrypted": False}

    def _put_record_batch(self, request: dict[str, Any]) -> dict[str, Any]:
        record_ids = self._stream(request)([_data(record) for record in request["Records"]])
        responses = [{"RecordId": record_id} for record_id in record_ids]
        return {"FailedPutCount": 0, "Encrypted": False, "RequestResponses": responses}

    def _stream(self, request: dict[str, Any]) -> Put:
        name = request.get("DeliveryStreamName", "")
        if name not in self._streams:
            raise ApiError("ResourceNotFoundException", f"there is no delivery stream {name} here")
        return self._streams[name]


def _data(record: dict[str, Any]) -> bytes:
    try:
        return b64decode(record["Data"], validate=True)
    except ValueError as error:
        raise UsageError("a record's Data is not base64") from error
