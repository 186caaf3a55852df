"""What holds data and stays when a stack is deleted: found while the stack is there, and for 90 days afterwards.

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
from pipeline.aws.refusal import MISSING, asking, code_of

Client = Callable[[Service], Any]
"""Gives a boto3 client of a service, of one account and region."""


class Kind(StrEnum):
    """What it is, in words."""

    BUCKET = "bucket"
    TABLE = "table"
    LEASES = "table of leases"
    STREAM = "stream"
    QUEUE = "queue"
    LOG_GROUP = "log group"
    PARAMETER = "parameter"


KINDS = {
    "AWS::S3::Bucket": Kind.BUCKET,
    "AWS::DynamoDB::Table": Kind.TABLE,
    "AWS::Kinesis::Stream": Kind.STREAM,
    "AWS::SQS::Queue": Kind.QUEUE,
    "AWS::Logs::LogGroup": Kind.LOG_GROUP,
}
"""By CloudFormation's type: those of the template that are kept. The policies of buckets and queues go with them."""

LOOKS: dict[Kind, Callable[[Client, str], Any]] = {
    Kind.BUCKET: lambda client, name: client("s3").head_bucket(Bucket=name),
    Kind.TABLE: lambda client, name: client("dynamodb").describe_table(TableName=name),
    Kind.LEASES: lambda client, name: client("dynamodb").describe_table(TableName=name),
    Kind.STREAM: lambda client, name: client("kinesis").describe_stream_summary(StreamName=name),
    Kind.QUEUE: lambda client, name: client("sqs").get_queue_attributes(QueueUrl=name, AttributeNames=["QueueArn"]),
    Kind.PARAMETER: lambda client, name: client("ssm").get_parameter(Name=name),
}
"""How each is looked for; a log group is looked for by a prefix of its name, see `_is_there`."""


GOING = "DELETING"


class Remain(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Something that stays.

    Attributes:
        kind: What it is.
        id: How AWS is told which: its name, or its URL.
    """

    kind: Kind
    id: str

    @property
    def name(self) -> str:
        """Its name, which whoever deletes it has to type."""
        return self.id.rpartition("/")[2] if self.kind is Kind.QUEUE else self.id


def remains(client: Client, *, stack: str) -> tuple[Remain, ...]:
    """Return what there is that holds data of a stack, or of deleted ones of its name; in order.

    Raises:
        Misuse: AWS denies looking.
        CloudUnavailable: AWS throttles or cannot be reached.
    """
    candidates = {*_of_stacks(client, stack), *_tables(client, stack), *_leases(stack)}
    candidates.add(Remain(kind=Kind.PARAMETER, id=f"/mailfold/{stack}/tables"))
    kinds = list(Kind)
    ordered = sorted(candidates, key=lambda one: (kinds.index(one.kind), one.id))
    return tuple(one for one in ordered if _is_there(client, one))


def _of_stacks(client: Client, name: str) -> Iterator[Remain]:
    cloudformation = client("cloudformation")
    with asking(f"listing what the stack {name} is made of"):
        for stack_id in _stack_ids(cloudformation, name):
            for one in (*_resources(cloudformation, stack_id), *_kept(cloudformation, stack_id)):
                kind = KINDS.get(one["ResourceType"])
                if kind and one["ResourceStatus"] != "DELETE_COMPLETE" and one.get("PhysicalResourceId"):
                    yield Remain(kind=kind, id=one["PhysicalResourceId"])


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


def _tables(client: Client, stack: str) -> Iterator[Remain]:
    prefix = f"{stack}-suppression-"
    with asking("listing tables"):
        for page in client("dynamodb").get_paginator("list_tables").paginate():
            yield from (Remain(kind=Kind.TABLE, id=name) for name in page["TableNames"] if name.startswith(prefix))


def _leases(stack: str) -> Iterator[Remain]:
    for beside in ("", "-CoordinatorState", "-WorkerMetricStats"):
        yield Remain(kind=Kind.LEASES, id=f"{stack}-consumer{beside}")


def _is_there(client: Client, one: Remain) -> bool:
    with asking(f"looking for the {one.kind} {one.name}"):
        from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        if one.kind is Kind.LOG_GROUP:
            pages = client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=one.id)
            return any(group["logGroupName"] == one.id for page in pages for group in page["logGroups"])
        try:
            answer = LOOKS[one.kind](client, one.id)
        except ClientError as error:
            if code_of(error) in MISSING:
                return False
            raise
    return GOING not in {_status(answer, "Table"), _status(answer, "StreamDescriptionSummary")}


def _status(answer: Any, of: str) -> str | None:
    """Return the status of a table or a stream: it is not gone at once."""
    described = answer.get(of, {})
    found: str | None = described.get("TableStatus") or described.get("StreamStatus")
    return found
