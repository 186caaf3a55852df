"""Deleting what holds data, one thing at a time. What is gone already is passed over, so doing it again is safe.

docs.aws.amazon.com/AmazonS3/latest/userguide/delete-bucket.html,
docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithTables.Basics.html#WorkingWithTables.Basics.DeletionProtection

What holds data and stays when a stack is deleted: found while the stack is there, and for 90 days afterwards.

So long CloudFormation tells what a deleted stack was made of. Tables that a rebuild made, the parameter of the live
one, and what the Kinesis Client Library made for a consumer, stand beside the stack and are found by their names.
docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html and
docs.aws.amazon.com/streams/latest/dev/kcl-dynamoDB.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import StrEnum
from typing import Any

import msgspec

from pipeline.aws.clients import Service
from pipeline.aws.errors import CODES, ErrorKind, classify, error_code, translated
from pipeline.errors import ServiceUnavailable, UsageError

ClientFactory = Callable[[Service], Any]
"""Gives a boto3 client of a service, of one account and region."""


class RetainedKind(StrEnum):
    """What it is, in words."""

    BUCKET = "bucket"
    TABLE = "table"
    LEASES = "table of leases"
    STREAM = "stream"
    QUEUE = "queue"
    LOG_GROUP = "log group"
    PARAMETER = "parameter"


KINDS = {
    "AWS::S3::Bucket": RetainedKind.BUCKET,
    "AWS::DynamoDB::Table": RetainedKind.TABLE,
    "AWS::Kinesis::Stream": RetainedKind.STREAM,
    "AWS::SQS::Queue": RetainedKind.QUEUE,
    "AWS::Logs::LogGroup": RetainedKind.LOG_GROUP,
}
"""By CloudFormation's type: those of the template that are kept. The policies of buckets and queues go with them."""

LOOKS: dict[RetainedKind, Callable[[ClientFactory, str], Any]] = {
    RetainedKind.BUCKET: lambda client, name: client("s3").head_bucket(Bucket=name),
    RetainedKind.TABLE: lambda client, name: client("dynamodb").describe_table(TableName=name),
    RetainedKind.LEASES: lambda client, name: client("dynamodb").describe_table(TableName=name),
    RetainedKind.STREAM: lambda client, name: client("kinesis").describe_stream_summary(StreamName=name),
    RetainedKind.QUEUE: lambda client, name: client("sqs").get_queue_attributes(
        QueueUrl=name, AttributeNames=["QueueArn"]
    ),
    RetainedKind.PARAMETER: lambda client, name: client("ssm").get_parameter(Name=name),
}
"""How each is looked for; a log group is looked for by a prefix of its name, see `_is_there`."""


GOING = "DELETING"


class RetainedResource(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Something that stays.

    Attributes:
        kind: What it is.
        id: How AWS is told which: its name, or its URL.
    """

    kind: RetainedKind
    id: str

    @property
    def name(self) -> str:
        """Its name, which whoever deletes it has to type."""
        return self.id.rpartition("/")[2] if self.kind is RetainedKind.QUEUE else self.id


def retained_resources(client: ClientFactory, *, stack: str) -> tuple[RetainedResource, ...]:
    """Return what there is that holds data of a stack, or of deleted ones of its name; in order.

    Raises:
        UsageError: AWS denies looking.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    candidates = {*_of_stacks(client, stack), *_tables(client, stack), *_leases(stack)}
    candidates.add(RetainedResource(kind=RetainedKind.PARAMETER, id=f"/mailfold/{stack}/tables"))
    kinds = list(RetainedKind)
    ordered = sorted(candidates, key=lambda one: (kinds.index(one.kind), one.id))
    return tuple(one for one in ordered if _is_there(client, one))


def _of_stacks(client: ClientFactory, name: str) -> Iterator[RetainedResource]:
    cloudformation = client("cloudformation")
    with translated(f"listing what the stack {name} is made of"):
        for stack_id in _stack_ids(cloudformation, name):
            for one in (*_resources(cloudformation, stack_id), *_kept(cloudformation, stack_id)):
                kind = KINDS.get(one["ResourceType"])
                if kind and one["ResourceStatus"] != "DELETE_COMPLETE" and one.get("PhysicalResourceId"):
                    yield RetainedResource(kind=kind, id=one["PhysicalResourceId"])


def _resources(cloudformation: Any, stack_id: str) -> Iterator[Any]:
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_id):
        yield from page["StackResourceSummaries"]


def _kept(cloudformation: Any, stack_id: str) -> Iterator[Any]:
    """Give the events by which something was kept when the stack, or an update of it, had no more use for it."""
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        yield from (one for one in page["StackEvents"] if one.get("ResourceStatus") == "DELETE_SKIPPED")


def _stack_ids(cloudformation: Any, name: str) -> Iterator[str]:
    """Give the ids of the stack of that name, if there is one, and of those that were deleted in the last 90 days."""
    for page in cloudformation.get_paginator("list_stacks").paginate():
        yield from (one["StackId"] for one in page["StackSummaries"] if one["StackName"] == name)


def _tables(client: ClientFactory, stack: str) -> Iterator[RetainedResource]:
    prefix = f"{stack}-suppression-"
    with translated("listing tables"):
        for page in client("dynamodb").get_paginator("list_tables").paginate():
            yield from (
                RetainedResource(kind=RetainedKind.TABLE, id=name)
                for name in page["TableNames"]
                if name.startswith(prefix)
            )


def _leases(stack: str) -> Iterator[RetainedResource]:
    for beside in ("", "-CoordinatorState", "-WorkerMetricStats"):
        yield RetainedResource(kind=RetainedKind.LEASES, id=f"{stack}-consumer{beside}")


def _is_there(client: ClientFactory, one: RetainedResource) -> bool:
    with translated(f"looking for the {one.kind} {one.name}"):
        from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        if one.kind is RetainedKind.LOG_GROUP:
            pages = client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=one.id)
            return any(group["logGroupName"] == one.id for page in pages for group in page["logGroups"])
        try:
            answer = LOOKS[one.kind](client, one.id)
        except ClientError as error:
            if classify(error) is ErrorKind.MISSING:
                return False
            raise
    return GOING not in {_status(answer, "Table"), _status(answer, "StreamDescriptionSummary")}


def _status(answer: Any, of: str) -> str | None:
    """Return the status of a table or a stream: it is not gone at once."""
    described = answer.get(of, {})
    found: str | None = described.get("TableStatus") or described.get("StreamStatus")
    return found


TABLE_WAIT = {"Delay": 2, "MaxAttempts": 150}  # seconds, and how often: a table that changes is done within minutes
ATTEMPTS_AT_BUCKET = 3  # somebody may write into it meanwhile

DeleteProgress = Callable[[int], None]
"""Hears how many versions of objects are deleted so far."""


def delete_data(client: ClientFactory, one: RetainedResource, *, progress: DeleteProgress = lambda _: None) -> None:
    """Delete something, with all that it holds.

    Args:
        client: Gives clients of its account and region.
        one: What.
        progress: For a bucket, hears how far it is.

    Raises:
        UsageError: AWS denies or refuses it.
        ServiceUnavailable: AWS throttles or cannot be reached, or somebody goes on writing. Doing it again is safe.
    """
    with translated(f"deleting the {one.kind} {one.name}"):
        from botocore.exceptions import ClientError, WaiterError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        try:
            _erase(client, one, progress)
        except WaiterError as error:
            raise ServiceUnavailable(f"the {one.kind} {one.name} is not at rest: try again later") from error
        except ClientError as error:
            if classify(error) is not ErrorKind.MISSING:
                raise


def _erase(client: ClientFactory, one: RetainedResource, progress: DeleteProgress) -> None:
    match one.kind:
        case RetainedKind.BUCKET:
            _bucket(client("s3"), one.id, progress)
        case RetainedKind.TABLE | RetainedKind.LEASES:
            _table(client("dynamodb"), one.id)
        case RetainedKind.STREAM:
            client("kinesis").delete_stream(StreamName=one.id, EnforceConsumerDeletion=True)
        case RetainedKind.QUEUE:
            client("sqs").delete_queue(QueueUrl=one.id)
        case RetainedKind.LOG_GROUP:
            client("logs").delete_log_group(logGroupName=one.id)
        case RetainedKind.PARAMETER:
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


def _bucket(s3: Any, name: str, progress: DeleteProgress) -> None:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

    deleted = 0
    for _ in range(ATTEMPTS_AT_BUCKET):
        for number in _emptied(s3, name):
            deleted += number
            progress(deleted)
        try:
            s3.delete_bucket(Bucket=name)
        except ClientError as error:
            if error_code(error) != "BucketNotEmpty":
                raise
        else:
            return
    raise ServiceUnavailable(f"somebody writes into the bucket {name} all the time: stop that, and try again")


def _emptied(s3: Any, name: str) -> Iterator[int]:
    """Delete every version, every marker and every upload that was never finished; give how many, lot by lot.

    What is deleted is listed no more, so the first page is always the next one.
    """
    while found := _versions(s3.list_object_versions(Bucket=name)):
        answer = s3.delete_objects(Bucket=name, Delete={"Objects": found, "Quiet": True})
        if errors := answer.get("Errors"):
            what = f"S3 did not delete {len(errors):,} objects of {name}: {errors[0].get('Code')}"
            raise (
                UsageError(what)
                if errors[0].get("Code") in CODES[ErrorKind.DENIED]
                else ServiceUnavailable(f"{what}: try again")
            )
        yield len(found)
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=name):
        for upload in page.get("Uploads", ()):
            s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])


def _versions(page: Any) -> list[dict[str, str]]:
    found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
    return [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
