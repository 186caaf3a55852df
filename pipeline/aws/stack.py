"""A deployment, found by the name of its CloudFormation stack, and its suppression tables.

A parameter beside the stack names the live table and the shadow tables, and holds the policy in force. CloudFormation
does not own it, so neither an update of the stack nor its rollback resets it. `mailfold deploy` creates it if it is
missing, and publishes a new policy in it. A rebuild changes the tables.
docs.aws.amazon.com/AWSCloudFormation/latest/APIReference/API_DescribeStacks.html and
docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.errors import missing_ok, tolerate, translated
from pipeline.errors import NotFound, UsageError
from pipeline.policy import DEFAULT_POLICY, Policy, parse_policy

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_ssm.type_defs import GetParameterResultTypeDef

ALL_SETS = "*"  # in ConfigurationSets: every configuration set of the account
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
        tags: Its tags, which CloudFormation passes on to its resources.
    """

    name: str
    id: str
    status: str
    parameters: Mapping[str, str]
    outputs: Mapping[str, str]
    tags: Mapping[str, str] = MappingProxyType({})

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

    @property
    def accepts_all_sets(self) -> bool:
        """Whether it accepts the events of every SES configuration set of the account."""
        return ALL_SETS in self.output("ConfigurationSets").split(",")

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
        tags={tag["Key"]: tag["Value"] for tag in description.get("Tags", [])},
    )


class SuppressionTables(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """The suppression tables of a deployment and their policy, as the parameter holds them in JSON.

    Attributes:
        live: The table that senders read.
        shadow_tables: Further tables that the projector writes.
        policy: The policy in force, unless a process has a newer one; None if none was published.
        shadow_policy: The policy of the shadow tables; None: the policy in force is. See `pipeline.rebuild`.
    """

    live: str
    shadow_tables: tuple[str, ...] = ()
    policy: Policy | None = None
    shadow_policy: Policy | None = None

    def newest_policy(self, own: Policy) -> Policy:
        """Return the policy in force for a process whose own policy is `own`: the newer of both."""
        return self.policy if self.policy and self.policy.version > own.version else own


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
    response = _get(ssm, parameter)
    return None if response is None else parse_tables(response["Parameter"]["Value"])


def _get(ssm: SSMClient, parameter: str) -> GetParameterResultTypeDef | None:
    with translated("reading which table is live"):
        return missing_ok(lambda: ssm.get_parameter(Name=parameter))


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


def create_tables(
    ssm: SSMClient, *, parameter: str, tables: SuppressionTables, tags: Mapping[str, str] = MappingProxyType({})
) -> bool:
    """Create the parameter that names the live table, with these tags. An existing one is not changed.

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
                Value=format_tables(tables),
                Type="String",
                Overwrite=False,
                Tags=[{"Key": key, "Value": value} for key, value in tags.items()],
            ),
            "ParameterAlreadyExists",
        )
    return response is not None


def format_tables(tables: SuppressionTables) -> str:
    """Return the parameter's value that `parse_tables` reads."""
    return msgspec.json.encode(tables).decode()


def to_policy(document: str) -> Policy:
    """Return the policy of the template's parameter, whose empty text is the default policy.

    Raises:
        UsageError: It is not a policy.
    """
    return parse_policy(document.encode()) if document else DEFAULT_POLICY


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
