"""A stack is deleted. What holds data stays, as the template says; see `remains` and `erasure`.

docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DeleteStack.html

Who holds the policies that a stack made: IAM deletes none that somebody holds, so a deletion would stop half-way.

docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.deployment.events import POLL_SECONDS, StackEvent, follow, newest_event
from pipeline.aws.errors import error_code, translated
from pipeline.aws.stack import Stack
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_iam import IAMClient

POLICIES = ("SenderPolicyArn", "ConsumerPolicyArn")  # outputs: policies that are made for others to hold
KINDS = {"PolicyGroups": "group", "PolicyRoles": "role", "PolicyUsers": "user"}  # as IAM lists them


class PolicyHolder(msgspec.Struct, frozen=True, kw_only=True):
    """Somebody who holds a policy.

    Attributes:
        kind: What it is: group, role or user.
        name: Its name.
        policy: The policy's ARN.
    """

    kind: str
    name: str
    policy: str

    @property
    def release(self) -> str:
        """The command that takes the policy away."""
        return f"aws iam detach-{self.kind}-policy --{self.kind}-name {self.name} --policy-arn {self.policy}"


def check_policies_detached(iam: IAMClient, stack: Stack) -> None:
    """Check that nobody holds a policy of the stack's, but for its own roles, which CloudFormation deletes first.

    Raises:
        UsageError: Somebody does; says how to take it away. Or AWS denies looking.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    own = {arn.rpartition("/")[2] for output, arn in stack.outputs.items() if output.endswith("RoleArn")}
    policies = [stack.outputs[output] for output in POLICIES if output in stack.outputs]
    holders = [holder for policy in policies for holder in _holders(iam, policy) if holder.name not in own]
    if holders:
        raise UsageError(
            "nothing was deleted: IAM deletes no policy that somebody holds, and the deletion of the stack "
            f"{stack.name} would stop at it. First run {', '.join(f'`{holder.release}`' for holder in holders)}"
        )


def _holders(iam: IAMClient, policy: str) -> Iterator[PolicyHolder]:
    with translated(f"looking for who holds the policy {policy}"):
        from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        try:
            pages: list[Any] = list(iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=policy))
        except ClientError as error:
            if error_code(error) != "NoSuchEntity":  # a former run has deleted it
                raise
            return
    for page in pages:
        for key, kind in KINDS.items():
            name = f"{kind.title()}Name"
            yield from (PolicyHolder(kind=kind, name=one[name], policy=policy) for one in page.get(key, ()))


GOING, GONE = "DELETE_IN_PROGRESS", "DELETE_COMPLETE"
OURS = frozenset({("LogBucket", "AWS::S3::Bucket"), ("SuppressionTable", "AWS::DynamoDB::Table")})
"""What a stack has to have, or to have had, to be one of Mailfold's: names in the template, and types."""


def check_deletable(cloudformation: CloudFormationClient, stack: Stack) -> None:
    """Check that a stack is one of ours, and at rest, or on its way out already.

    Raises:
        UsageError: It is not, or AWS denies looking.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    if stack.status.endswith("_IN_PROGRESS") and stack.status not in {GOING, "REVIEW_IN_PROGRESS"}:
        raise UsageError(f"the stack {stack.name} is {stack.status}: wait until it is at rest")
    with translated(f"listing what the stack {stack.name} is made of"):
        pages = cloudformation.get_paginator("list_stack_resources").paginate(StackName=stack.id)
        made_of = {
            (one["LogicalResourceId"], one["ResourceType"]) for page in pages for one in page["StackResourceSummaries"]
        }
    if not made_of >= OURS:
        raise UsageError(
            f"the stack {stack.name} is none of Mailfold's, or was never finished: delete it in AWS's console"
        )


def delete_stack_and_wait(
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
        UsageError: AWS denies or refuses it.
        ServiceUnavailable: AWS throttles or cannot be reached; the deletion itself goes on.
    """
    after = newest_event(cloudformation, stack_id=stack.id)
    with translated(f"deleting the stack {stack.name}"):
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
