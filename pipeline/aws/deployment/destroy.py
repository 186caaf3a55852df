"""Delete a stack. Resources that hold data are retained, as the template says; see `retained`.

A deletion is checked first: the stack must belong to Mailfold, and no other role, user or group may hold its policies,
because IAM deletes no policy that is attached.
docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html,
docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.deployment.events import POLL_SECONDS, StackEvent, follow, newest_event
from pipeline.aws.errors import missing_ok, translated
from pipeline.aws.stack import Stack
from pipeline.errors import InvalidInput, UsageError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_iam import IAMClient

DELETING, DELETED = "DELETE_IN_PROGRESS", "DELETE_COMPLETE"

MAILFOLD_RESOURCES = frozenset({("LogBucket", "AWS::S3::Bucket"), ("SuppressionTable", "AWS::DynamoDB::Table")})
"""Logical ids and types by which a stack of Mailfold is recognized, deleted resources included."""

POLICY_OUTPUTS = ("SenderPolicyArn", "ConsumerPolicyArn")  # policies made to be attached to roles of other stacks
ENTITY_KINDS = {"PolicyGroups": "group", "PolicyRoles": "role", "PolicyUsers": "user"}  # in ListEntitiesForPolicy


class PolicyHolder(msgspec.Struct, frozen=True, kw_only=True):
    """An IAM entity that a policy is attached to.

    Attributes:
        kind: Kind of the entity: group, role or user.
        name: Name of the entity.
        policy: ARN of the policy.
    """

    kind: str
    name: str
    policy: str

    @property
    def detach_command(self) -> str:
        """Command that detaches the policy."""
        return f"aws iam detach-{self.kind}-policy --{self.kind}-name {self.name} --policy-arn {self.policy}"


def check_deletable(cloudformation: CloudFormationClient, stack: Stack) -> None:
    """Check that a stack belongs to Mailfold, and that no operation but its deletion is in progress.

    Raises:
        UsageError: The stack does not belong to Mailfold.
        InvalidInput: An operation is in progress.
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    if stack.status.endswith("_IN_PROGRESS") and stack.status not in {DELETING, "REVIEW_IN_PROGRESS"}:
        raise InvalidInput(f"the stack {stack.name} is {stack.status}: wait until the operation ends")
    with translated(f"listing the resources of the stack {stack.name}"):
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.id)
        resources = {
            (resource["LogicalResourceId"], resource["ResourceType"])
            for page in pages
            for resource in page["StackResourceSummaries"]
        }
    if not resources >= MAILFOLD_RESOURCES:
        raise UsageError(
            f"the stack {stack.name} does not belong to Mailfold, or its creation never finished: "
            "delete it in the CloudFormation console"
        )


def check_policies_detached(iam: IAMClient, stack: Stack) -> None:
    """Check that the stack's policies are attached only to its own roles, which CloudFormation deletes first.

    Raises:
        InvalidInput: A policy is attached to another entity. The message contains the commands that detach it.
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    own_roles = {arn.rpartition("/")[2] for output, arn in stack.outputs.items() if output.endswith("RoleArn")}
    policies = [stack.outputs[output] for output in POLICY_OUTPUTS if output in stack.outputs]
    holders = [holder for policy in policies for holder in _policy_holders(iam, policy)]
    if commands := [f"`{holder.detach_command}`" for holder in holders if holder.name not in own_roles]:
        raise InvalidInput(
            "nothing was deleted: IAM deletes no policy that is attached, and the deletion of the stack "
            f"{stack.name} would fail. First run {', '.join(commands)}"
        )


def _policy_holders(iam: IAMClient, policy: str) -> Iterator[PolicyHolder]:
    with translated(f"listing the entities that the policy {policy} is attached to"):
        paginator: Any = iam.get_paginator("list_entities_for_policy")
        pages = missing_ok(lambda: list(paginator.paginate(PolicyArn=policy)))  # missing: already deleted
    for page in pages or ():
        for key, kind in ENTITY_KINDS.items():
            names = [entity[f"{kind.title()}Name"] for entity in page.get(key, ())]
            yield from (PolicyHolder(kind=kind, name=name, policy=policy) for name in names)


def delete_stack_and_wait(
    cloudformation: CloudFormationClient,
    stack: Stack,
    *,
    show_event: Callable[[StackEvent], None] = lambda _: None,
    poll_seconds: float = POLL_SECONDS,
) -> None:
    """Delete a stack, remove its termination protection first, and wait until it is deleted. Safe to repeat.

    Args:
        cloudformation: Client of the stack's region.
        stack: The stack. Its deletion may be in progress.
        show_event: Called with each event of the stack.
        poll_seconds: Time between two reads of the events.

    Raises:
        DeploymentFailed: A resource could not be deleted. The message contains AWS's reason.
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached. CloudFormation continues the deletion.
    """
    after = newest_event(cloudformation, stack_id=stack.id)
    with translated(f"deleting the stack {stack.name}"):
        current = cloudformation.describe_stacks(StackName=stack.id)["Stacks"][0]
        if current["StackStatus"] == DELETED:  # its last event may be older than `after`
            return
        if current["StackStatus"] != DELETING:
            if current.get("EnableTerminationProtection"):
                cloudformation.update_termination_protection(StackName=stack.name, EnableTerminationProtection=False)
            cloudformation.delete_stack(StackName=stack.id)
    events = follow(
        cloudformation, stack_id=stack.id, after=after, success=frozenset({DELETED}), poll_seconds=poll_seconds
    )
    for event in events:
        show_event(event)
