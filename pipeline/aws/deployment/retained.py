"""Resources that hold data and remain when a stack is deleted: find them, and delete them one at a time.

CloudFormation lists the resources of a deleted stack for 90 days. Some resources are not part of the stack, and are
found by name: tables of a rebuild, the live table's parameter, and the Kinesis Client Library's tables.
docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_ListStackResources.html,
docs.aws.amazon.com/streams/latest/dev/kcl-dynamoDB.html,
docs.aws.amazon.com/AmazonS3/latest/userguide/delete-bucket.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.clients import Clients
from pipeline.aws.erasure_key import erasure_parameter
from pipeline.aws.errors import CODES, ErrorKind, missing_ok, tolerate, translated
from pipeline.errors import AccessDenied, ServiceUnavailable

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

TABLE_WAITER_CONFIG: Any = {"Delay": 2, "MaxAttempts": 150}  # seconds, and polls: a table changes within minutes
BUCKET_ATTEMPTS = 3  # objects may be written while a bucket is emptied
DELETING = "DELETING"
# After the stack's name and "-consumer-": a part of the stack's ID, and the suffix of a table beside the leases.
_LEASE_TABLE = re.compile(r"[0-9a-f]{8}(-CoordinatorState|-WorkerMetricStats)?")

DeleteProgress = Callable[[int], None]
"""Called with the number of object versions deleted so far."""


class RetainedKind(StrEnum):
    """Kinds of retained resources, in the order in which they are listed."""

    BUCKET = "bucket"
    TABLE = "table"
    LEASES = "lease table"
    STREAM = "stream"
    QUEUE = "queue"
    LOG_GROUP = "log group"
    PARAMETER = "parameter"
    ERASURE_KEY = "erasure key"


KINDS = {
    "AWS::S3::Bucket": RetainedKind.BUCKET,
    "AWS::DynamoDB::Table": RetainedKind.TABLE,
    "AWS::Kinesis::Stream": RetainedKind.STREAM,
    "AWS::SQS::Queue": RetainedKind.QUEUE,
    "AWS::Logs::LogGroup": RetainedKind.LOG_GROUP,
}
"""Kinds by CloudFormation's types, for those that the template retains. Bucket and queue policies are not resources."""


class RetainedResource(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A resource that holds data and remains when its stack is deleted.

    Attributes:
        kind: Kind of the resource.
        id: Name of the resource; for a queue, its URL.
    """

    kind: RetainedKind
    id: str

    @property
    def name(self) -> str:
        """Name of the resource, which the user types to delete it."""
        return self.id.rpartition("/")[2] if self.kind is RetainedKind.QUEUE else self.id


def retained_resources(clients: Clients, *, stack: str) -> tuple[RetainedResource, ...]:
    """Return the resources that hold data of a stack, or of deleted stacks of the same name, ordered by kind and name.

    Raises:
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    candidates = {
        *_stack_resources(clients.cloudformation, stack),
        *_tables(clients.dynamodb, stack),
        RetainedResource(kind=RetainedKind.PARAMETER, id=f"/mailfold/{stack}/tables"),
        RetainedResource(kind=RetainedKind.ERASURE_KEY, id=erasure_parameter(f"/mailfold/{stack}")),
    }
    kinds = list(RetainedKind)
    ordered = sorted(candidates, key=lambda resource: (kinds.index(resource.kind), resource.id))
    return tuple(resource for resource in ordered if _exists(clients, resource))


def _stack_resources(cloudformation: CloudFormationClient, stack: str) -> list[RetainedResource]:
    with translated(f"listing the resources of the stack {stack}"):
        return [
            RetainedResource(kind=KINDS[resource["ResourceType"]], id=resource["PhysicalResourceId"])
            for stack_id in _stack_ids(cloudformation, stack)
            for resource in (*_listed(cloudformation, stack_id), *_skipped(cloudformation, stack_id))
            if resource["ResourceType"] in KINDS
            and resource["ResourceStatus"] != "DELETE_COMPLETE"
            and resource.get("PhysicalResourceId")
        ]


def _stack_ids(cloudformation: CloudFormationClient, name: str) -> Iterator[str]:
    """Yield the ARNs of stacks of that name, including those deleted in the last 90 days."""
    for page in cloudformation.get_paginator("list_stacks").paginate():
        yield from (stack["StackId"] for stack in page["StackSummaries"] if stack["StackName"] == name)


def _listed(cloudformation: CloudFormationClient, stack_id: str) -> Iterator[Mapping[str, Any]]:
    for page in cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack_id):
        yield from page["StackResourceSummaries"]


def _skipped(cloudformation: CloudFormationClient, stack_id: str) -> Iterator[Mapping[str, Any]]:
    """Yield the events of resources that left the stack and were retained."""
    for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        yield from (event for event in page["StackEvents"] if event.get("ResourceStatus") == "DELETE_SKIPPED")


def _tables(dynamodb: DynamoDBClient, stack: str) -> list[RetainedResource]:
    """Return the suppression tables of the stack's name, and the tables of its consumers."""
    with translated("listing tables"):
        names = [name for page in dynamodb.get_paginator("list_tables").paginate() for name in page["TableNames"]]
    prefixes = {RetainedKind.TABLE: f"{stack}-suppression-", RetainedKind.LEASES: f"{stack}-consumer-"}
    return [
        RetainedResource(kind=kind, id=name)
        for kind, prefix in prefixes.items()
        for name in names
        if name.startswith(prefix) and (kind is RetainedKind.TABLE or _LEASE_TABLE.fullmatch(name, len(prefix)))
    ]


def _exists(clients: Clients, resource: RetainedResource) -> bool:
    """Return True if a resource exists and is not being deleted. Tables and streams are deleted asynchronously."""
    with translated(f"reading the {resource.kind} {resource.name}"):
        description = missing_ok(lambda: _describe(clients, resource))
    if description is None:
        return False
    table, stream = description.get("Table", {}), description.get("StreamDescriptionSummary", {})
    return DELETING not in {table.get("TableStatus"), stream.get("StreamStatus")}


def _describe(clients: Clients, resource: RetainedResource) -> Any:
    match resource.kind:
        case RetainedKind.BUCKET:
            return clients.s3.head_bucket(Bucket=resource.id)
        case RetainedKind.TABLE | RetainedKind.LEASES:
            return clients.dynamodb.describe_table(TableName=resource.id)
        case RetainedKind.STREAM:
            return clients.kinesis.describe_stream_summary(StreamName=resource.id)
        case RetainedKind.QUEUE:
            return clients.sqs.get_queue_attributes(QueueUrl=resource.id, AttributeNames=["QueueArn"])
        case RetainedKind.PARAMETER | RetainedKind.ERASURE_KEY:
            return clients.ssm.get_parameter(Name=resource.id)
        case RetainedKind.LOG_GROUP:
            pages = clients.logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=resource.id)
            groups = (group for page in pages for group in page["logGroups"])
            return next((group for group in groups if group["logGroupName"] == resource.id), None)


def delete_data(clients: Clients, resource: RetainedResource, *, progress: DeleteProgress = lambda _: None) -> None:
    """Delete a resource with all its data. Safe to repeat: one that does not exist is ignored.

    Args:
        clients: Clients of its account and region.
        resource: The resource.
        progress: Called while a bucket is emptied.

    Raises:
        InvalidInput: AWS rejects the request.
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles or cannot be reached, or objects are written all the time.
    """
    with translated(f"deleting the {resource.kind} {resource.name}"):
        missing_ok(lambda: _delete(clients, resource, progress))


def _delete(clients: Clients, resource: RetainedResource, progress: DeleteProgress) -> None:
    match resource.kind:
        case RetainedKind.BUCKET:
            _delete_bucket(clients.s3, resource.id, progress)
        case RetainedKind.TABLE | RetainedKind.LEASES:
            _delete_table(clients.dynamodb, resource.id)
        case RetainedKind.STREAM:
            clients.kinesis.delete_stream(StreamName=resource.id, EnforceConsumerDeletion=True)
        case RetainedKind.QUEUE:
            clients.sqs.delete_queue(QueueUrl=resource.id)
        case RetainedKind.LOG_GROUP:
            clients.logs.delete_log_group(logGroupName=resource.id)
        case RetainedKind.PARAMETER | RetainedKind.ERASURE_KEY:
            clients.ssm.delete_parameter(Name=resource.id)


def _delete_table(dynamodb: DynamoDBClient, name: str) -> None:
    """Delete a table. DynamoDB itself keeps a backup of one with point-in-time recovery for 35 days.

    docs.aws.amazon.com/amazondynamodb/latest/developerguide/WorkingWithTables.Basics.html#WorkingWithTables.Basics.DeletionProtection
    """
    table = dynamodb.describe_table(TableName=name)["Table"]
    if table["TableStatus"] == DELETING:
        return
    if table.get("DeletionProtectionEnabled"):
        dynamodb.update_table(TableName=name, DeletionProtectionEnabled=False)
        dynamodb.get_waiter("table_exists").wait(TableName=name, WaiterConfig=TABLE_WAITER_CONFIG)
    dynamodb.delete_table(TableName=name)


def _delete_bucket(s3: S3Client, name: str, progress: DeleteProgress) -> None:
    deleted = 0
    for _ in range(BUCKET_ATTEMPTS):
        deleted = _delete_all_versions(s3, name, deleted, progress)
        if tolerate(lambda: s3.delete_bucket(Bucket=name), "BucketNotEmpty") is not None:
            return
    raise ServiceUnavailable(f"objects are written into the bucket {name} all the time: stop that, and try again")


def _delete_all_versions(s3: S3Client, name: str, deleted: int, progress: DeleteProgress) -> int:
    """Delete every object version, delete marker and unfinished upload, and return the number of deleted versions.

    Deleted versions are not listed again, so the first page is always the next one.
    """
    while versions := _first_versions(s3, name):
        answer = s3.delete_objects(Bucket=name, Delete={"Objects": versions, "Quiet": True})
        if errors := answer.get("Errors"):
            code = errors[0].get("Code", "")
            message = f"S3 did not delete {len(errors):,} objects of {name}: {code}"
            if code in CODES[ErrorKind.DENIED]:
                raise AccessDenied(f"{message}. Grant these credentials the permission")
            raise ServiceUnavailable(f"{message}: try again")
        deleted += len(versions)
        progress(deleted)
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=name):
        for upload in page.get("Uploads", ()):
            s3.abort_multipart_upload(Bucket=name, Key=upload["Key"], UploadId=upload["UploadId"])
    return deleted


def _first_versions(s3: S3Client, bucket: str) -> Any:
    """Return the first page of object versions and delete markers, as DeleteObjects takes them."""
    page = s3.list_object_versions(Bucket=bucket)
    versions: Any = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
    return [{"Key": version["Key"], "VersionId": version["VersionId"]} for version in versions]
