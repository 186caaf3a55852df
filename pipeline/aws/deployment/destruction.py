"""A stack is deleted. What holds data stays, as the template says; see `remains` and `erasure`.

docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.aws.deployment.stack_event import POLL_SECONDS, StackEvent, follow, newest_event
from pipeline.aws.refusal import asking
from pipeline.aws.stack import Stack
from pipeline.errors import Misuse

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

GOING, GONE = "DELETE_IN_PROGRESS", "DELETE_COMPLETE"
OURS = frozenset({("LogBucket", "AWS::S3::Bucket"), ("SuppressionTable", "AWS::DynamoDB::Table")})
"""What a stack has to have, or to have had, to be one of Mailfold's: names in the template, and types."""


def check_deletable(cloudformation: CloudFormationClient, stack: Stack) -> None:
    """Check that a stack is one of ours, and at rest, or on its way out already.

    Raises:
        Misuse: It is not, or AWS denies looking.
        CloudUnavailable: AWS throttles or cannot be reached.
    """
    if stack.status.endswith("_IN_PROGRESS") and stack.status not in {GOING, "REVIEW_IN_PROGRESS"}:
        raise Misuse(f"the stack {stack.name} is {stack.status}: wait until it is at rest")
    with asking(f"listing what the stack {stack.name} is made of"):
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.id)
        made_of = {
            (one["LogicalResourceId"], one["ResourceType"]) for page in pages for one in page["StackResourceSummaries"]
        }
    if not made_of >= OURS:
        raise Misuse(f"the stack {stack.name} is none of Mailfold's, or was never finished: delete it in AWS's console")


def delete(
    cloudformation: CloudFormationClient,
    stack: Stack,
    *,
    happened: Callable[[StackEvent], None] = lambda _: None,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Delete a stack, although it is protected from that, and wait until it is gone.

    Args:
        cloudformation: From `clients.client("cloudformation")`.
        stack: The stack, which may be on its way out already.
        happened: Hears what CloudFormation does.
        poll_seconds: How long to wait before CloudFormation is asked again.

    Raises:
        DeploymentFailed: Something could not be deleted, with AWS's reason. Doing it again goes on from there.
        Misuse: AWS denies or refuses it.
        CloudUnavailable: AWS throttles or cannot be reached; the deletion itself goes on.
    """
    after = newest_event(cloudformation, stack_id=stack.id)
    with asking(f"deleting the stack {stack.name}"):
        now = cloudformation.describe_stacks(StackName=stack.id)["Stacks"][0]
        if now["StackStatus"] == GONE:  # the event that would tell is no news any more
            return
        if now["StackStatus"] != GOING:
            if now.get("EnableTerminationProtection"):
                cloudformation.update_termination_protection(StackName=stack.name, EnableTerminationProtection=False)
            cloudformation.delete_stack(StackName=stack.id)
    for event in follow(
        cloudformation, stack_id=stack.id, after=after, good_ends=frozenset({GONE}), poll_seconds=poll_seconds
    ):
        happened(event)
