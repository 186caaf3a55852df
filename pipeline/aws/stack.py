"""Which suppression table is live, and which others are written to: a parameter beside the stack.

CloudFormation never owns it, so no update of the stack sets it back; `mailfold deploy` makes it if it is not there. A
rebuild writes a second table beside the live one, and then names that one live here.
docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html

A deployment, found by the name of its CloudFormation stack: what its outputs say is what the commands work on.

docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.errors import error_code, translated
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ssm import SSMClient

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
            UsageError: The stack has none of that name: it is not Mailfold's, or of an older template, or not finished.
        """
        if name not in self.outputs:
            raise UsageError(
                f"the stack {self.name} ({self.status}) has no output {name}: if it is one of Mailfold's, bring it up "
                f"to date with `mailfold deploy {self.options}`"
            )
        return self.outputs[name]


def find_stack(cloudformation: CloudFormationClient, *, name: str) -> Stack | None:
    """Return the stack of that name in the client's region, or None if there is none.

    Raises:
        UsageError: AWS denies it, or boto3 is not set up.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated(f"reading the stack {name}"):
        from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        try:
            described = cloudformation.describe_stacks(StackName=name)["Stacks"][0]
        except ClientError as error:
            if error_code(error) == NO_STACK:
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
        UsageError: There is none; or as for `find_stack`.
        ServiceUnavailable: As for `find_stack`.
    """
    stack = find_stack(cloudformation, name=name)
    if stack is None:
        region = cloudformation.meta.region_name
        raise UsageError(
            f"there is no stack {name} in {region}: name another --region, or make it with `mailfold deploy`"
        )
    return stack


class SuppressionTables(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the parameter holds, as JSON.

    Attributes:
        live: The table that senders ask.
        shadow_tables: Tables that the projector writes to besides.
    """

    live: str
    shadow_tables: tuple[str, ...] = ()


def parse_tables(text: str) -> SuppressionTables:
    """Return what a parameter's text says.

    Raises:
        UsageError: It says nothing that can be.
    """
    try:
        tables = msgspec.json.decode(text, type=SuppressionTables)
    except msgspec.MsgspecError as error:
        raise UsageError(f"the parameter of the live table is wrong: {error}") from error
    if not tables.live or not all(tables.shadow_tables) or tables.live in tables.shadow_tables:
        raise UsageError(
            "the parameter of the live table is wrong: each table has to have a name, and to stand there once"
        )
    return tables


def read_tables(ssm: SSMClient, *, parameter: str) -> SuppressionTables | None:
    """Return what the parameter says, or None if there is no such parameter.

    Raises:
        UsageError: It says nothing that can be, or AWS denies reading it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated("reading which table is live"):
        from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        try:
            text = ssm.get_parameter(Name=parameter)["Parameter"]["Value"]
        except ClientError as error:
            if error_code(error) == "ParameterNotFound":
                return None
            raise
    return parse_tables(text)


def tables_of(ssm: SSMClient, stack: Stack) -> SuppressionTables:
    """Return a deployment's tables: as the parameter says, or else the stack's own is the live one.

    Raises:
        UsageError: The parameter says nothing that can be, AWS denies reading it, or the stack is none of Mailfold's.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    read = read_tables(ssm, parameter=stack.output("TablesParameter"))
    return read or SuppressionTables(live=stack.output("SuppressionTable"))


def create_tables(ssm: SSMClient, *, parameter: str, live: str) -> bool:
    """Make the parameter, naming the live table; one that is there stays as it is.

    Returns:
        Whether it was made.

    Raises:
        UsageError: AWS denies it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated("saying which table is live"):
        from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        try:
            ssm.put_parameter(
                Name=parameter,
                Description="Which of Mailfold's suppression tables is live, and which others are written to",
                Value=msgspec.json.encode(SuppressionTables(live=live)).decode(),
                Type="String",
                Overwrite=False,
            )
        except ClientError as error:
            if error_code(error) == "ParameterAlreadyExists":
                return False
            raise
    return True


def missing_tables(dynamodb: DynamoDBClient, tables: SuppressionTables) -> tuple[str, ...]:
    """Return the tables that are not there: feedback waits for each of them, and is lost if it waits for too long.

    Raises:
        UsageError: AWS denies looking.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    return tuple(name for name in (tables.live, *tables.shadow_tables) if not _is_there(dynamodb, name))


def _is_there(dynamodb: DynamoDBClient, name: str) -> bool:
    with translated(f"looking for the table {name}"):
        from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

        try:
            dynamodb.describe_table(TableName=name)
        except ClientError as error:
            if error_code(error) == "ResourceNotFoundException":
                return False
            raise
    return True
