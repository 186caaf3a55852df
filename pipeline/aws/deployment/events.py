"""What happens to a stack while CloudFormation changes it, as it happens.

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

POLL_SECONDS = 2.0  # an account may call CloudFormation a few times a second, all its users together
TIMEOUT_SECONDS = 3_600.0  # a stack is made in about three minutes
GOOD_ENDS = frozenset({"CREATE_COMPLETE", "UPDATE_COMPLETE"})


class StackEvent(msgspec.Struct, frozen=True, kw_only=True):
    """A step of a resource, or of the stack itself.

    Attributes:
        id: Its name.
        at: When.
        logical_id: The resource's name in the template; the stack's own name.
        type: Its type, `AWS::S3::Bucket`.
        status: Where it stands, `CREATE_IN_PROGRESS`.
        reason: AWS's words, mostly none; without addresses.
        is_of_stack: Whether it is about the stack itself.
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
        """Whether something went wrong."""
        return self.status.endswith("_FAILED")

    @property
    def is_end(self) -> bool:
        """Whether the stack is at rest."""
        return self.is_of_stack and not self.status.endswith("_IN_PROGRESS")


def newest_event(cloudformation: CloudFormationClient, *, stack_id: str) -> str | None:
    """Return the name of the newest event, None if there was none so far.

    Raises:
        UsageError: AWS denies or refuses it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated("reading the stack's events"):
        events = cloudformation.describe_stack_events(StackName=stack_id)["StackEvents"]
    return events[0]["EventId"] if events else None


def follow(
    cloudformation: CloudFormationClient,
    *,
    stack_id: str,
    after: str | None,
    good_ends: frozenset[str] = GOOD_ENDS,
    poll_seconds: float = POLL_SECONDS,
    timeout_seconds: float = TIMEOUT_SECONDS,
) -> Iterator[StackEvent]:
    """Give the events after that one, in order, until the stack is at rest and as it was wanted: at a good end.

    Raises:
        DeploymentFailed: It is at rest and not so, with what failed first; or it takes too long.
        UsageError: AWS denies or refuses it.
        ServiceUnavailable: AWS throttles or cannot be reached; the change itself goes on.
    """
    began, failed = time.monotonic(), None
    while True:
        for event in _since(cloudformation, stack_id, after):
            after = event.id
            failed = failed or (event if event.is_failure else None)
            yield event
            if event.is_end:
                _check(event, failed, good_ends)
                return
        if time.monotonic() - began > timeout_seconds:
            raise DeploymentFailed(f"the stack is not at rest after {timeout_seconds:g} s; AWS goes on with it")
        time.sleep(poll_seconds)


def _check(end: StackEvent, failed: StackEvent | None, good_ends: frozenset[str]) -> None:
    if end.status in good_ends:
        return
    what = failed or end
    reason = what.reason.rstrip(".") or "AWS gives no reason"
    raise DeploymentFailed(f"{what.logical_id} ({what.type}) failed first: {reason}. The stack is {end.status}")


def _since(cloudformation: CloudFormationClient, stack_id: str, after: str | None) -> list[StackEvent]:
    """Return the events after that one, oldest first; AWS gives the newest first."""
    events: list[StackEvent] = []
    with translated("reading the stack's events"):
        for page in cloudformation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
            for found in page["StackEvents"]:
                if found["EventId"] == after:
                    return events[::-1]
                events.append(_event(found))
    return events[::-1]


def _event(found: StackEventTypeDef) -> StackEvent:
    return StackEvent(
        id=found["EventId"],
        at=found["Timestamp"],
        logical_id=found.get("LogicalResourceId", ""),
        type=found.get("ResourceType", ""),
        status=found.get("ResourceStatus", ""),
        reason=redact_addresses(found.get("ResourceStatusReason", "")),
        is_of_stack=found.get("PhysicalResourceId") == found["StackId"],
    )
