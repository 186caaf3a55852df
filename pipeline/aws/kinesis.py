"""The data of a Kinesis record, which Lambda and the Kinesis Client Library deliver as base64. Pure."""

import msgspec
from pybase64 import b64decode


def record_payload(data: str) -> bytes:
    """Return the payload; for text that is not base64, its envelope, so that decoding reports what is wrong."""
    try:
        return b64decode(data, validate=True)
    except ValueError:
        return msgspec.json.encode({"Data": data})
