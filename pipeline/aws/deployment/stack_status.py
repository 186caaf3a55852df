"""Whether a stack can be deployed to, by its status, and the remedy if it cannot.

docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html#cfn-stack-update-status-codes
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.aws.deployment.change_set import delete_stack, is_abandoned
from pipeline.aws.stack import Stack, find_stack
from pipeline.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

UPDATABLE = frozenset(
    {"CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE", "IMPORT_COMPLETE", "IMPORT_ROLLBACK_COMPLETE"}
)
NEVER_CREATED = "REVIEW_IN_PROGRESS"  # the change set that would create it was not executed
CREATION_FAILED = frozenset({"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED"})  # it can only be deleted

MAILFOLD_PARAMETERS = frozenset({"CodeBucket", "CodeKey", "LogFirstDay", "TrackEngagement"})
"""Parameters that identify a stack of Mailfold in any status: every version of the template has them."""

REMEDIES = {
    "UPDATE_ROLLBACK_FAILED": "correct what its events name, then run `aws cloudformation continue-update-rollback "
    "--stack-name {name} --region {region}`, and deploy again",
    "UPDATE_FAILED": "run `aws cloudformation rollback-stack --stack-name {name} --region {region}`, and deploy again",
    "DELETE_FAILED": "its deletion failed: correct what its events name and delete it, or deploy under another name",
}
OTHER_REMEDY = "wait until the operation ends, and deploy again"


def prepare_stack(
    cloudformation: CloudFormationClient, *, name: str, may_delete: Callable[[Stack], bool]
) -> Stack | None:
    """Return the stack of that name if it can be updated, or None if it has to be created.

    A stack that was never created is deleted: at once if only a change set of Mailfold is left of it, and after a
    failed creation if `may_delete` returns True.

    Raises:
        UsageError: The stack does not belong to Mailfold.
        InvalidInput: Its status allows no deployment. The message contains the remedy.
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        DeploymentFailed: The stack cannot be deleted.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    stack = find_stack(cloudformation, name=name)
    if stack is None:
        return None
    _check_ownership(cloudformation, stack)
    if stack.status in UPDATABLE:
        return stack
    if stack.status != NEVER_CREATED:
        _check_deletable(stack, may_delete)
    delete_stack(cloudformation, stack_id=stack.id)
    return None


def check_version(stack: Stack, *, own_version: str) -> None:
    """Check that no newer version of Mailfold has deployed a stack. A stack without the output is of an older one.

    Raises:
        UsageError: A newer version has. An older template would remove what that one added.
    """
    deployed_version = stack.outputs.get("Version", "0")
    if _release(deployed_version) > _release(own_version):
        raise UsageError(
            f"the stack {stack.name} was deployed by Mailfold {deployed_version}, and this is {own_version}, which "
            f"would remove what is newer there: install Mailfold {deployed_version} or later"
        )


def _release(version: str) -> tuple[int, ...]:
    """Return the numbers of a version, as in 1.2.3. What follows them, as in 1.2.3rc1, is left out."""
    match = re.match(r"\d+(?:\.\d+)*", version, re.ASCII)
    return tuple(map(int, match[0].split("."))) if match else ()


def _check_ownership(cloudformation: CloudFormationClient, stack: Stack) -> None:
    """Check that a stack belongs to Mailfold: an update by its template would delete everything in another one."""
    if stack.status == NEVER_CREATED:
        if not is_abandoned(cloudformation, stack_id=stack.id):
            raise UsageError(
                f"the stack {stack.name} has a change set that Mailfold did not create: execute or delete it first"
            )
    elif not stack.parameters.keys() >= MAILFOLD_PARAMETERS:
        raise UsageError(f"the stack {stack.name} does not belong to Mailfold: deploy under another name")


def _check_deletable(stack: Stack, may_delete: Callable[[Stack], bool]) -> None:
    if stack.status not in CREATION_FAILED:
        remedy = REMEDIES.get(stack.status, OTHER_REMEDY).format(name=stack.name, region=stack.region)
        raise InvalidInput(f"the stack {stack.name} is {stack.status}: {remedy}")
    if not may_delete(stack):
        raise InvalidInput(
            f"the stack {stack.name} is {stack.status}, its creation failed: delete it with `aws cloudformation "
            f"delete-stack --stack-name {stack.name} --region {stack.region}`, and deploy again"
        )
