"""Deleting what holds data, one thing at a time. What is gone already is passed over, so doing it again is safe.

docs.aws.amazon.com/AmazonS3/latest/userguide/delete-bucket.html,
docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithTables.Basics.html#WorkingWithTables.Basics.DeletionProtection
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from pipeline.aws.deployment.remains import Client, Kind, Remain
from pipeline.aws.refusal import DENIALS, MISSING, asking, code_of
from pipeline.errors import CloudUnavailable, Misuse

TABLE_WAIT = {"Delay": 2, "MaxAttempts": 150}  # seconds, and how often: a table that changes is done within minutes
ATTEMPTS_AT_BUCKET = 3  # somebody may write into it meanwhile

Progress = Callable[[int], None]
"""Hears how many versions of objects are deleted so far."""


def erase(client: Client, one: Remain, *, progress: Progress = lambda _: None) -> None:
    """Delete something, with all that it holds.

    Args:
        client: Gives clients of its account and region.
        one: What.
        progress: For a bucket, hears how far it is.

    Raises:
        Misuse: AWS denies or refuses it.
        CloudUnavailable: AWS throttles or cannot be reached, or somebody goes on writing. Doing it again is safe.
    """
    with asking(f"deleting the {one.kind} {one.name}"):
        from botocore.exceptions import ClientError, WaiterError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        try:
            _erase(client, one, progress)
        except WaiterError as error:
            raise CloudUnavailable(f"the {one.kind} {one.name} is not at rest: try again later") from error
        except ClientError as error:
            if code_of(error) not in MISSING:
                raise


def _erase(client: Client, one: Remain, progress: Progress) -> None:
    match one.kind:
        case Kind.BUCKET:
            _bucket(client("s3"), one.id, progress)
        case Kind.TABLE | Kind.LEASES:
            _table(client("dynamodb"), one.id)
        case Kind.STREAM:
            client("kinesis").delete_stream(StreamName=one.id, EnforceConsumerDeletion=True)
        case Kind.QUEUE:
            client("sqs").delete_queue(QueueUrl=one.id)
        case Kind.LOG_GROUP:
            client("logs").delete_log_group(logGroupName=one.id)
        case Kind.PARAMETER:
            client("ssm").delete_parameter(Name=one.id)


def _table(dynamodb: Any, name: str) -> None:
    """Delete a table; DynamoDB keeps a backup of one with point-in-time recovery for 35 days by itself."""
    described = dynamodb.describe_table(TableName=name)["Table"]
    if described["TableStatus"] == "DELETING":
        return
    if described.get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
        dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig=TABLE_WAIT)
    dynamodb.delete_table(TableName=name)


def _bucket(s3: Any, name: str, progress: Progress) -> None:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

    deleted = 0
    for _ in range(ATTEMPTS_AT_BUCKET):
        for number in _emptied(s3, name):
            deleted += number
            progress(deleted)
        try:
            s3.delete_bucket(Bucket=name)
        except ClientError as error:
            if code_of(error) != "BucketNotEmpty":
                raise
        else:
            return
    raise CloudUnavailable(f"somebody writes into the bucket {name} all the time: stop that, and try again")


def _emptied(s3: Any, name: str) -> Iterator[int]:
    """Delete every version, every marker and every upload that was never finished; give how many, lot by lot.

    What is deleted is listed no more, so the first page is always the next one.
    """
    while found := _versions(s3.list_object_versions(Bucket=name)):
        answer = s3.delete_objects(Bucket=name, Delete={"Objects": found, "Quiet": True})
        if errors := answer.get("Errors"):
            what = f"S3 did not delete {len(errors):,} objects of {name}: {errors[0].get('Code')}"
            raise Misuse(what) if errors[0].get("Code") in DENIALS else CloudUnavailable(f"{what}: try again")
        yield len(found)
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=name):
        for upload in page.get("Uploads", ()):
            s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])


def _versions(page: Any) -> list[dict[str, str]]:
    found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
    return [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
