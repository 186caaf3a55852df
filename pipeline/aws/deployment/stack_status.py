"""Whether a stack can be deployed to: its state, and what to do where it cannot.

docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-stack-update-status-codes
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.aws.deployment.change_set import delete_stack, is_abandoned
from pipeline.aws.stack import Stack, find_stack
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

UPDATABLE = frozenset(
    {
        "CREATE_COMPLETE",
        "UPDATE_COMPLETE",
        "UPDATE_ROLLBACK_COMPLETE",
        "IMPORT_COMPLETE",
        "IMPORT_ROLLBACK_COMPLETE",
    }
)
NEVER_MADE = "REVIEW_IN_PROGRESS"  # a change set would make it, and was not executed
NOT_MADE = frozenset(
    {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"}
)  # making it failed: it can but be deleted

MARKS = frozenset({"CodeBucket", "CodeKey", "LogFirstDay", "TrackEngagement"})
"""Parameters by which a stack is known to be one of Mailfold's, whatever became of it: every template has had them."""

REMEDIES = {
    "UPDATE_ROLLBACK_FAILED": "mend what its events name, then run `aws cloudformation continue-update-rollback "
    "--stack-name {name} --region {region}`, and deploy again",
    "UPDATE_FAILED": "run `aws cloudformation rollback-stack --stack-name {name} --region {region}`, and deploy again",
    "DELETE_FAILED": "it was being deleted: mend what its events name and delete it, or deploy under another name",
}


def prepare_stack(
    cloudformation: CloudFormationClient, *, name: str, may_delete: Callable[[Stack], bool]
) -> Stack | None:
    """Return the stack of that name as it can be changed, or None if it has to be made.

    What is left of a stack that was never made is deleted: of a change set of ours at once, and of an attempt that
    failed when `may_delete` says so.

    Raises:
        UsageError: It is none of Mailfold's, or in no state to be changed; says what to do. Or AWS denies or refuses
            something.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    stack = find_stack(cloudformation, name=name)
    if stack is None:
        return None
    _check_ours(cloudformation, stack)
    if stack.status in UPDATABLE:
        return stack
    if stack.status != NEVER_MADE:
        _check_deletable(stack, may_delete)
    delete_stack(cloudformation, stack_id=stack.id)
    return None


def _check_deletable(stack: Stack, may_delete: Callable[[Stack], bool]) -> None:
    if stack.status not in NOT_MADE:
        raise UsageError(f"the stack {stack.name} is {stack.status}: {_remedy(stack)}")
    if not may_delete(stack):
        raise UsageError(
            f"the stack {stack.name} is {stack.status}, its making failed: delete it with `aws cloudformation "
            f"delete-stack --stack-name {stack.name} --region {stack.region}`, and deploy again"
        )


def _check_ours(cloudformation: CloudFormationClient, stack: Stack) -> None:
    """Check that a stack is ours: an update by our template would take all that is in another one away."""
    if stack.status == NEVER_MADE:
        if not is_abandoned(cloudformation, stack_id=stack.id):
            raise UsageError(f"somebody else's change set for the stack {stack.name} waits: execute or delete it first")
    elif not stack.parameters.keys() >= MARKS:
        raise UsageError(f"the stack {stack.name} is none of Mailfold's: deploy under another name")


def _remedy(stack: Stack) -> str:
    if stack.status in REMEDIES:
        return REMEDIES[stack.status].format(name=stack.name, region=stack.region)
    return "AWS is at it, so wait until it has come to rest, and deploy again"
