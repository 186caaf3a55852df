"""A deployment, found by the name of its CloudFormation stack, and its suppression tables.

A parameter beside the stack names the live table and the shadow tables. CloudFormation does not own it, so no update of
the stack resets it; `mailfold deploy` creates it if it is missing, and a rebuild changes it.
docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html and
docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.errors import missing_ok, tolerate, translated
from pipeline.errors import NotFound, UsageError

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ssm import SSMClient

POLICY_PARAMETER = "Policy"  # the template parameter with the suppression policy, as JSON
NO_STACK = "ValidationError"  # CloudFormation's code for the name of a stack that does not exist


class Stack(msgspec.Struct, frozen=True, kw_only=True):
    """A CloudFormation stack.

    Attributes:
        name: Its name.
        id: Its ARN, which differs from that of a later stack of the same name.
        status: CloudFormation's status: `UPDATE_COMPLETE`, `ROLLBACK_COMPLETE`, …
        parameters: Its parameters, by name.
        outputs: Its outputs, by name; see the end of `infra/mailfold.yaml`.
    """

    name: str
    id: str
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]

    @property
    def region(self) -> str:
        """Its region, as in its ARN."""
        return self.id.split(":")[3]

    @property
    def account_id(self) -> str:
        """Its account, as in its ARN."""
        return self.id.split(":")[4]

    @property
    def options(self) -> str:
        """The command-line options that select it. A copied command without the region could reach another stack."""
        return f"--stack {self.name} --region {self.region}"

    def output(self, name: str) -> str:
        """Return an output.

        Raises:
            UsageError: The stack has no such output: it is not Mailfold's, is of an older template or is incomplete.
        """
        if name not in self.outputs:
            raise UsageError(
                f"the stack {self.name} ({self.status}) has no output {name}: if it is one of Mailfold's, update it "
                f"with `mailfold deploy {self.options}`"
            )
        return self.outputs[name]


def deployed_stack(cloudformation: CloudFormationClient, *, name: str) -> Stack:
    """Return the stack of that name.

    Raises:
        NotFound: It does not exist.
        AccessDenied: As for `find_stack`.
        ServiceUnavailable: As for `find_stack`.
    """
    stack = find_stack(cloudformation, name=name)
    if stack is None:
        region = cloudformation.meta.region_name
        raise NotFound(
            f"there is no stack {name} in {region}: name another --region, or create it with `mailfold deploy`"
        )
    return stack


def find_stack(cloudformation: CloudFormationClient, *, name: str) -> Stack | None:
    """Return the stack of that name in the client's region, or None if there is none.

    Raises:
        AccessDenied: AWS denies it, or boto3 has no credentials or region.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated(f"reading the stack {name}"):
        response = missing_ok(lambda: cloudformation.describe_stacks(StackName=name), NO_STACK)
    if response is None:
        return None
    (description,) = response["Stacks"]
    if description["StackStatus"] == "DELETE_COMPLETE":
        return None
    return Stack(
        name=description["StackName"],
        id=description["StackId"],
        status=description["StackStatus"],
        parameters={
            parameter["ParameterKey"]: parameter.get("ParameterValue", "")
            for parameter in description.get("Parameters", [])
        },
        outputs={output["OutputKey"]: output["OutputValue"] for output in description.get("Outputs", [])},
    )


class SuppressionTables(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The suppression tables of a deployment, as the parameter holds them in JSON.

    Attributes:
        live: The table that senders read.
        shadow_tables: Further tables that the projector writes.
    """

    live: str
    shadow_tables: tuple[str, ...] = ()


def tables_of(ssm: SSMClient, stack: Stack) -> SuppressionTables:
    """Return a deployment's tables. Without the parameter, the stack's table is the live one.

    Raises:
        UsageError: The parameter is invalid, or the stack is not Mailfold's.
        AccessDenied: AWS denies reading the parameter.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    tables = read_tables(ssm, parameter=stack.output("TablesParameter"))
    return tables or SuppressionTables(live=stack.output("SuppressionTable"))


def read_tables(ssm: SSMClient, *, parameter: str) -> SuppressionTables | None:
    """Return the tables that the parameter names, or None if it does not exist.

    Raises:
        UsageError: The parameter is invalid.
        AccessDenied: AWS denies reading it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated("reading which table is live"):
        response = missing_ok(lambda: ssm.get_parameter(Name=parameter))
    return None if response is None else parse_tables(response["Parameter"]["Value"])


def parse_tables(text: str) -> SuppressionTables:
    """Return the tables that a parameter's value names.

    Raises:
        UsageError: The value is invalid.
    """
    try:
        tables = msgspec.json.decode(text, type=SuppressionTables)
    except msgspec.MsgspecError as error:
        raise UsageError(f"the parameter of the live table is invalid: {error}") from error
    if not tables.live or not all(tables.shadow_tables) or tables.live in tables.shadow_tables:
        raise UsageError(
            "the parameter of the live table is invalid: name each table, and the live table only as `live`"
        )
    return tables


def create_tables(ssm: SSMClient, *, parameter: str, live: str) -> bool:
    """Create the parameter that names the live table. An existing one is not changed.

    Returns:
        Whether it was created.

    Raises:
        AccessDenied: AWS denies it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated("storing which table is live"):
        response = tolerate(
            lambda: ssm.put_parameter(
                Name=parameter,
                Description="Names Mailfold's live suppression table and the shadow tables that are written too",
                Value=msgspec.json.encode(SuppressionTables(live=live)).decode(),
                Type="String",
                Overwrite=False,
            ),
            "ParameterAlreadyExists",
        )
    return response is not None


def missing_tables(dynamodb: DynamoDBClient, tables: SuppressionTables) -> tuple[str, ...]:
    """Return the tables that do not exist. Feedback waits for each of them, and is lost when it expires.

    Raises:
        AccessDenied: AWS denies looking for them.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    return tuple(name for name in (tables.live, *tables.shadow_tables) if not _exists(dynamodb, name))


def _exists(dynamodb: DynamoDBClient, table: str) -> bool:
    with translated(f"looking for the table {table}"):
        return missing_ok(lambda: dynamodb.describe_table(TableName=table)) is not None
