"""The result of the last drill, and when a drill last proved the table equal to the log: an object beside the log.

It lies in the log's bucket, because what folds the log may read that bucket, and the proof outlives every stack and
table. The bucket keeps its versions. It holds counts, and no address.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.errors import tolerate, translated
from pipeline.drill import DrillResult
from pipeline.errors import ArchiveUnavailable, InvalidInput

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PROOF_KEY = "proofs/drill.json"
REMEDIES = {"AccessDenied": "Allow s3:ListBucket on the bucket, s3:GetObject and s3:PutObject below proofs/"}
_DAY = timedelta(days=1)


class Proof(msgspec.Struct, frozen=True, kw_only=True):
    """The result of the last drill.

    Attributes:
        table: The table that was compared.
        drilled_at: When that drill began, aware.
        proved_at: When the last drill that found log and table equal began; None if none did.
        result: Its counts and digests.
    """

    table: str
    drilled_at: datetime
    proved_at: datetime | None
    result: DrillResult

    def days_since_proved(self, now: datetime) -> float | None:
        """Return the days since log and table were proved equal; None if they never were."""
        return None if self.proved_at is None else max(0.0, (now - self.proved_at) / _DAY)


def read_proof(client: S3Client, *, bucket: str) -> Proof | None:
    """Return the proof; None if there was no drill yet.

    Raises:
        InvalidInput: The object is no proof.
        ArchiveUnavailable: S3 throttles or cannot be reached.
        AccessDenied, NotFound: The object may not be read, or its bucket does not exist.
    """
    with translated(f"reading s3://{bucket}/{PROOF_KEY}", unavailable=ArchiveUnavailable, remedies=REMEDIES):
        response = tolerate(lambda: client.get_object(Bucket=bucket, Key=PROOF_KEY), "NoSuchKey")
        body = response["Body"].read() if response else None
    try:
        return None if body is None else msgspec.json.decode(body, type=Proof)
    except msgspec.MsgspecError as error:
        raise InvalidInput(f"s3://{bucket}/{PROOF_KEY} is no proof: delete it, and run the drill again") from error


def save_proof(
    client: S3Client, *, bucket: str, table: str, result: DrillResult, drilled_at: datetime, last: Proof | None
) -> Proof:
    """Store the result of a drill, and return it. If it proved nothing, the time of the last proof stays.

    Args:
        client: boto3's S3 client.
        bucket: The log's bucket.
        table: The table that was compared.
        result: The result of the drill.
        drilled_at: When it began, aware.
        last: The proof before.

    Raises:
        ArchiveUnavailable: S3 throttles or cannot be reached.
        AccessDenied, NotFound: The object may not be written, or its bucket does not exist.
    """
    proved_at = drilled_at if result.is_proved else last.proved_at if last else None
    proof = Proof(table=table, drilled_at=drilled_at, proved_at=proved_at, result=result)
    with translated(f"writing s3://{bucket}/{PROOF_KEY}", unavailable=ArchiveUnavailable, remedies=REMEDIES):
        body = msgspec.json.encode(proof)
        client.put_object(Bucket=bucket, Key=PROOF_KEY, Body=body, ContentType="application/json")
    return proof
