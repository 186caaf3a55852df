"""The quarantine in S3: one object for each payload that was set aside.

Nothing here reads a clock: an object's key comes from what it holds, so that a repeat replaces itself. Keys begin
with a hash, so that S3 can spread a flood of them (AmazonS3/latest/userguide/optimizing-performance.html). Encryption
is the bucket's.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.aws.errors import error_code
from pipeline.errors import QuarantineUnavailable
from pipeline.ports import Quarantined

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class QuarantineObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object in the quarantine, as JSON.

    Attributes:
        reason: What is wrong with the payload, for people.
        position: Where it was: stream, shard and sequence number, or file and line.
        payload_base64: Its exact bytes, in base64.
    """

    reason: str
    position: str
    payload_base64: bytes


class S3Quarantine:
    """The quarantine in S3; see `ports.Quarantine`."""

    def __init__(self, client: S3Client, *, bucket: str, prefix: str = "quarantine/") -> None:
        """Use a bucket that exists.

        Args:
            client: From `clients.client("s3")`; time-outs and retries are its own.
            bucket: The bucket's name.
            prefix: What every key starts with.
        """
        self._client = client
        self._bucket = bucket
        self._prefix = prefix

    def put(self, quarantined: Quarantined) -> None:
        """See `ports.Quarantine`."""
        position = quarantined.position.encode(errors="backslashreplace")  # a file's name may be no UTF-8
        document = QuarantineObject(
            reason=quarantined.reason, position=position.decode(), payload_base64=quarantined.payload
        )
        name = sha256(position + b"\0" + quarantined.payload).hexdigest()
        try:
            self._client.put_object(
                Bucket=self._bucket,
                Key=f"{self._prefix}{name[:2]}/{name}.json",
                Body=msgspec.json.encode(document),
                ContentType="application/json",
            )
        except (ClientError, BotoCoreError) as error:
            # Every error: what cannot be set aside must not be passed.
            raise QuarantineUnavailable(
                f"S3's PutObject into {self._bucket} ended in {error_code(error)}: try again"
            ) from error
