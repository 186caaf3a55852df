"""Events of a stack while CloudFormation changes it, followed until the operation ends.

docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStackEvents.html
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.errors import redact_addresses, translated
from pipeline.errors import DeploymentFailed

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudformation.type_defs import StackEventTypeDef

POLL_SECONDS = 2.0  # all users of an account together may call CloudFormation a few times a second
TIMEOUT_SECONDS = 3_600.0  # creating a stack takes about three minutes
SUCCESS = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})


class StackEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event of a resource, or of the stack itself.

    Attributes:
        id: ID of the event.
        at: Time of the event.
        logical_id: The resource's name in the template, or the stack's name.
        type: The resource's type, such as `AWS::S3::Bucket`.
        status: The resource's status, such as `CREATE_IN_PROGRESS`.
        reason: AWS's reason without addresses; usually empty.
        is_of_stack: Whether it is an event of the stack itself.
    """

    id: str
    at: datetime
    logical_id: str
    type: str
    status: str
    reason: str
    is_of_stack: bool

    @property
    def is_failure(self) -> bool:
        """Whether an operation failed."""
        return self.status.endswith("_FAILED")

    @property
    def is_end(self) -> bool:
        """Whether the operation on the stack has ended."""
        return self.is_of_stack and not self.status.endswith("_IN_PROGRESS")


def newest_event(cloudformation: CloudFormationClient, *, stack_id: str) -> str | None:
    """Return the ID of the newest event, or None if there is none.

    Raises:
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    with translated("reading the stack's events"):
        events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    return events[0]["EventId"] if events else None


def follow(
    cloudformation: CloudFormationClient,
    *,
    stack_id: str,
    after: str | None,
    success: frozenset[str] = SUCCESS,
    poll_seconds: float = POLL_SECONDS,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Iterator[StackEvent]:
    """Yield events in order until the operation on the stack ends.

    Args:
        cloudformation: Client of the stack's region.
        stack_id: ARN of the stack.
        after: ID of the last event before the operation. None: yield all events.
        success: Statuses of the stack that mean success.
        poll_seconds: Time between two reads of the events.
        timeout_seconds: Longest time to follow.

    Raises:
        DeploymentFailed: The operation fails or takes too long. The message names the first failure.
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached. CloudFormation continues the operation.
    """
    started_at_seconds, first_failure = time.monotonic(), None
    while True:
        for event in _events_after(cloudformation, stack_id, after):
            after = event.id
            first_failure = first_failure or (event if event.is_failure else None)
            yield event
            if event.is_end:
                _check_success(event, first_failure, success)
                return
        if time.monotonic() - started_at_seconds > timeout_seconds:
            raise DeploymentFailed(
                f"the operation on the stack has not ended after {timeout_seconds:g} s: CloudFormation continues it. "
                "See the stack's events in its console"
            )
        time.sleep(poll_seconds)


def _events_after(cloudformation: CloudFormationClient, stack_id: str, after: str | None) -> list[StackEvent]:
    """Return the events after that one, oldest first. AWS returns the newest first."""
    events: list[StackEvent] = []
    with translated("reading the stack's events"):
        for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
            for event in page["StackEvents"]:
                if event["EventId"] == after:
                    return events[::-1]
                events.append(_parse_event(event))
    return events[::-1]


def _parse_event(event: StackEventTypeDef) -> StackEvent:
    return StackEvent(
        id=event["EventId"],
        at=event["Timestamp"],
        logical_id=event.get("LogicalResourceId", ""),
        type=event.get("ResourceType", ""),
        status=event.get("ResourceStatus", ""),
        reason=redact_addresses(event.get("ResourceStatusReason", "")),
        is_of_stack=event.get("PhysicalResourceId") == event["StackId"],
    )


def _check_success(end: StackEvent, first_failure: StackEvent | None, success: frozenset[str]) -> None:
    if end.status in success:
        return
    failure = first_failure or end
    reason = failure.reason.rstrip(".") or "AWS reports no reason"
    raise DeploymentFailed(f"{failure.logical_id} ({failure.type}) failed first: {reason}. The stack is {end.status}")
