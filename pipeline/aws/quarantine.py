"""The quarantine in S3: one object per quarantined payload.

An object's key is derived from its content and position, never from a clock, so that a repeated put replaces it. Keys
begin with a hash, so that S3 can spread many puts (AmazonS3/latest/userguide/optimizing-performance.html). The bucket
encrypts.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.errors import translated
from pipeline.errors import QuarantineUnavailable
from pipeline.ports import Quarantined

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class QuarantineObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object in the quarantine, as JSON.

    Attributes:
        reason: What is wrong with the payload, for people.
        position: Its place: stream, shard and sequence number, or file and line.
        payload_base64: Its exact bytes, in base64.
    """

    reason: str
    position: str
    payload_base64: bytes


class S3Quarantine:
    """The quarantine in S3; see `ports.Quarantine`.

    Args:
        client: boto3's S3 client, with its time-outs and retries.
        bucket: The bucket, which must exist.
        prefix: The prefix of every key.
    """

    def __init__(self, client: S3Client, *, bucket: str, prefix: str = "quarantine/") -> None:
        self._client, self._bucket, self._prefix = client, bucket, prefix

    def put(self, quarantined: Quarantined) -> None:
        """See `ports.Quarantine`."""
        position = quarantined.position.encode(errors="backslashreplace")  # a file name may not be UTF-8
        document = QuarantineObject(
            reason=quarantined.reason, position=position.decode(), payload_base64=quarantined.payload
        )
        name = sha256(position + b"\0" + quarantined.payload).hexdigest()
        # A rejected put stops the batch too: a payload that is not in the quarantine must not be acknowledged.
        with translated(
            f"putting a payload into the quarantine in the bucket {self._bucket}",
            unavailable=QuarantineUnavailable,
            invalid=QuarantineUnavailable,
        ):
            self._client.put_object(
                Bucket=self._bucket,
                Key=f"{self._prefix}{name[:2]}/{name}.json",
                Body=msgspec.json.encode(document),
                ContentType="application/json",
            )
