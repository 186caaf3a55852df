"""The data of a Kinesis record, as Lambda and the Kinesis Client Library hand it on: in base64. Pure."""

import msgspec
from pybase64 import b64decode


def record_payload(data: str) -> bytes:
    """Return the bytes; where the text is no base64, its carrier, so that decoding says what is wrong with it."""
    try:
        return b64decode(data, validate=True)
    except ValueError:
        return msgspec.json.encode({"Data": data})
