"""A deployment, found by the name of its CloudFormation stack: what its outputs say is what the commands work on.

docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.refusal import asking, code_of
from pipeline.errors import Misuse

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient

NO_STACK = "ValidationError"  # CloudFormation's code for a name that no stack has


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """A stack as it stands.

    Attributes:
        name: Its name.
        id: Its ARN, which another stack of the same name does not have.
        status: CloudFormation's word for its state: `UPDATE_COMPLETE`, `ROLLBACK_COMPLETE`, …
        parameters: What it was deployed with, by name.
        outputs: What the template says of it, by name; see the end of `infra/mailfold.yaml`.
    """

    name: str
    id: str
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def region(self) -> str:
        """Its region, as its ARN says."""
        return self.id.split(":")[3]

    @property
    def account_id(self) -> str:
        """Its account, as its ARN says."""
        return self.id.split(":")[4]

    @property
    def options(self) -> str:
        """The options that name it to a command of ours: the region too, or a copied one may make another elsewhere."""
        return f"--stack {self.name} --region {self.region}"

    def output(self, name: str) -> str:
        """Return an output.

        Raises:
            Misuse: The stack has none of that name: it is not Mailfold's, or of an older template, or not finished.
        """
        if name not in self.outputs:
            raise Misuse(
                f"the stack {self.name} ({self.status}) has no output {name}: if it is one of Mailfold's, bring it up "
                f"to date with `mailfold deploy {self.options}`"
            )
        return self.outputs[name]


def find_stack(cloudformation: CloudFormationClient, *, name: str) -> Stack | None:
    """Return the stack of that name in the client's region, or None if there is none.

    Raises:
        Misuse: AWS denies it, or boto3 is not set up.
        CloudUnavailable: AWS throttles or cannot be reached.
    """
    with asking(f"reading the stack {name}"):
        from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        try:
            described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if code_of(error) == NO_STACK:
                return None
            raise
    if described["StackStatus"] == "DELETE_COMPLETE":
        return None
    return Stack(
        name=described["StackName"],
        id=described["StackId"],
        status=described["StackStatus"],
        parameters={one["ParameterKey"]: one.get("ParameterValue", "") for one in described.get("Parameters", [])},
        outputs={one["OutputKey"]: one["OutputValue"] for one in described.get("Outputs", [])},
    )


def deployed_stack(cloudformation: CloudFormationClient, *, name: str) -> Stack:
    """Return the stack of that name, which must be there.

    Raises:
        Misuse: There is none; or as for `find_stack`.
        CloudUnavailable: As for `find_stack`.
    """
    stack = find_stack(cloudformation, name=name)
    if stack is None:
        region = cloudformation.meta.region_name
        raise Misuse(f"there is no stack {name} in {region}: name another --region, or make it with `mailfold deploy`")
    return stack
