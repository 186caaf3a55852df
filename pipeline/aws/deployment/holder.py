"""Who holds the policies that a stack made: IAM deletes none that somebody holds, so a deletion would stop half-way.

docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.refusal import asking, code_of
from pipeline.aws.stack import Stack
from pipeline.errors import Misuse

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

POLICIES = ("SenderPolicyArn", "ConsumerPolicyArn")  # outputs: policies that are made for others to hold
KINDS = {"PolicyGroups": "group", "PolicyRoles": "role", "PolicyUsers": "user"}  # as IAM lists them


class Holder(msgspec.Struct, frozen=True, kw_only=True):
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


def check_unheld(iam: IAMClient, stack: Stack) -> None:
    """Check that nobody holds a policy of the stack's, but for its own roles, which CloudFormation deletes first.

    Raises:
        Misuse: Somebody does; says how to take it away. Or AWS denies looking.
        CloudUnavailable: AWS throttles or cannot be reached.
    """
    own = {arn.rpartition("/")[2] for output, arn in stack.outputs.items() if output.endswith("RoleArn")}
    policies = [stack.outputs[output] for output in POLICIES if output in stack.outputs]
    holders = [holder for policy in policies for holder in _holders(iam, policy) if holder.name not in own]
    if holders:
        raise Misuse(
            "nothing was deleted: IAM deletes no policy that somebody holds, and the deletion of the stack "
            f"{stack.name} would stop at it. First run {', '.join(f'`{holder.release}`' for holder in holders)}"
        )


def _holders(iam: IAMClient, policy: str) -> Iterator[Holder]:
    with asking(f"looking for who holds the policy {policy}"):
        from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        try:
            pages: list[Any] = list(iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=policy))
        except ClientError as error:
            if code_of(error) != "NoSuchEntity":  # a former run has deleted it
                raise
            return
    for page in pages:
        for key, kind in KINDS.items():
            name = f"{kind.title()}Name"
            yield from (Holder(kind=kind, name=one[name], policy=policy) for one in page.get(key, ()))
