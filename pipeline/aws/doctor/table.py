"""The suppression tables: which is live, whether each can be used, and whether the live one is protected.

docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, error, warning
from pipeline.aws.doctor.functions import environment
from pipeline.aws.settings import POLICY
from pipeline.aws.stack import SuppressionTables, parse_tables
from pipeline.errors import UsageError
from pipeline.policy import parse_policy

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_ssm import SSMClient

KEY = (("address", "HASH"), ("scope", "RANGE"))  # schemas/item.json
SAMPLED_ITEMS = 100  # a policy's version is raised for all items that are written from then on


def check_parameter(deployment: Deployment) -> Iterator[Finding]:
    """Look at the parameter that says which table is live."""
    ssm: SSMClient = deployment.client("ssm")
    name = deployment.output("TablesParameter")
    answer = unless_missing(ssm.get_parameter, Name=name)
    if answer is None:
        yield warning(
            "parameter_missing",
            f"the parameter {name} is not there, so that the stack's own table is taken for the live one",
            mending=deployment.mailfold("deploy"),
        )
        return
    try:
        parse_tables(answer["Parameter"]["Value"])
    except UsageError as invalid:
        value = msgspec.json.encode(SuppressionTables(live=deployment.output("SuppressionTable"))).decode()
        mending = deployment.aws(f"ssm put-parameter --overwrite --name {name} --value '{value}'")
        yield error("parameter_wrong", f"{invalid} ({name})", mending=mending)


def check_tables(deployment: Deployment) -> Iterator[Finding]:
    """Look at each table that is written to, and at the protections of the live one."""
    dynamodb: DynamoDBClient = deployment.client("dynamodb")
    tables = deployment.tables
    for name in (tables.live, *tables.shadow_tables):
        answer = unless_missing(dynamodb.describe_table, TableName=name)
        if answer is None:
            parameter = deployment.output("TablesParameter")
            words = f"the table {name} is not there, but the parameter {parameter} names it: feedback waits for it"
            yield error("table_missing", words, mending=f"name one that is there in {parameter}: {_there(deployment)}")
            continue
        yield from _usable(name, answer["Table"])
        if name == tables.live:
            yield from _protected(deployment, name, answer["Table"])


def check_backups(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether the live table can be brought back to a moment."""
    dynamodb: DynamoDBClient = deployment.client("dynamodb")
    name = deployment.live_table
    answer = unless_missing(dynamodb.describe_continuous_backups, TableName=name)
    if answer is None:
        return
    recovery = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        yield error(
            "table_without_recovery",
            f"the live table {name} cannot be brought back to a moment: point-in-time recovery is off",
            mending=deployment.aws(
                f"dynamodb update-continuous-backups --table-name {name} "
                "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true,RecoveryPeriodInDays=35"
            ),
        )


def check_policy(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether the live table holds verdicts of a newer policy than the projector's, which it may not undo."""
    functions: LambdaClient = deployment.client("lambda")
    dynamodb: DynamoDBClient = deployment.client("dynamodb")
    name, projector = deployment.live_table, deployment.output("Projector")
    function = unless_missing(functions.get_function_configuration, FunctionName=projector)
    sample = unless_missing(dynamodb.scan, TableName=name, Limit=SAMPLED_ITEMS, ProjectionExpression="policy_version")
    if function is None or sample is None:
        return
    ours = parse_policy((environment(function).get(POLICY) or "{}").encode()).version
    theirs = max((int(item["policy_version"]["N"]) for item in sample["Items"]), default=ours)
    if theirs > ours:
        yield error(
            "policy_outdated",
            f"the live table was written under policy version {theirs}, the projector has {ours}: feedback waits",
            mending=f"deploy the stack with the parameter Policy of version {theirs} or newer",
        )


def _there(deployment: Deployment) -> str:
    return deployment.aws(f"dynamodb list-tables --query \"TableNames[?starts_with(@,'{deployment.stack.name}-')]\"")


def _usable(name: str, table: Mapping[str, Any]) -> Iterator[Finding]:
    if table["TableStatus"] not in {"ACTIVE", "UPDATING"}:
        words = f"the table {name} is {table['TableStatus'].lower()}: feedback waits for it"
        yield error("table_not_active", words, mending="see in CloudTrail who changed it; look again later")
    key = tuple((part["AttributeName"], part["KeyType"]) for part in table["KeySchema"])
    if key != KEY:
        words = f"the table {name} has another key than address and scope: nothing can be written to it"
        yield error("table_of_other_key", words, mending="name one of that key, and rebuild into it from the log")


def _protected(deployment: Deployment, name: str, table: Mapping[str, Any]) -> Iterator[Finding]:
    if not table.get("DeletionProtectionEnabled"):
        yield error(
            "table_deletable",
            f"anybody who may can delete the live table {name} in one call: deletion protection is off",
            mending=deployment.aws(f"dynamodb update-table --table-name {name} --deletion-protection-enabled"),
        )
    if table.get("SSEDescription", {}).get("Status") not in {"ENABLED", "ENABLING", "UPDATING"}:
        # Without it DynamoDB encrypts with a key of its own, whose use nobody can see.
        yield warning(
            "table_without_own_key",
            f"the live table {name} is not encrypted with a key of this account, but with one of DynamoDB's own",
            mending=deployment.aws(f"dynamodb update-table --table-name {name} --sse-specification Enabled=true"),
        )
