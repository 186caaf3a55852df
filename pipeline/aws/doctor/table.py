"""Checks of the suppression tables: which is live, whether each is usable, and whether the live one is protected.

docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TableDescription.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, error, warning
from pipeline.aws.doctor.functions import environment_variables, function_configuration
from pipeline.aws.doctor.policy_document import allows_account
from pipeline.aws.dynamodb import NO_POLICY
from pipeline.aws.errors import missing_ok
from pipeline.aws.settings import POLICY
from pipeline.aws.stack import SuppressionTables, format_tables, parse_tables
from pipeline.errors import UsageError
from pipeline.policy import parse_policy

KEY_SCHEMA = (("address", "HASH"), ("scope", "RANGE"))  # schemas/item.json
SENDER_ACTIONS = ("dynamodb:BatchGetItem", "dynamodb:GetItem")  # infra/mailfold.yaml, SuppressionTable
SAMPLE_ITEMS = 100  # after a change of policy, every item is written with the new version


def check_tables_parameter(deployment: Deployment) -> Iterator[Finding]:
    """Check the parameter that names the live table."""
    name = deployment.output("TablesParameter")
    answer = missing_ok(lambda: deployment.clients.ssm.get_parameter(Name=name))
    if answer is None:
        message = f"the parameter {name} does not exist: the stack's own table is used as the live one"
        yield warning("parameter_missing", message, remedy=deployment.mailfold_command("deploy"))
        return
    try:
        parse_tables(answer["Parameter"]["Value"])
    except UsageError as invalid:
        value = format_tables(SuppressionTables(live=deployment.output("SuppressionTable")))
        remedy = deployment.aws_command(f"ssm put-parameter --overwrite --name {name} --value '{value}'")
        yield error("parameter_invalid", f"{invalid} ({name})", remedy=remedy)


def check_tables(deployment: Deployment) -> Iterator[Finding]:
    """Check each table that the projector writes to, and the protection of the live one."""
    tables = deployment.tables()
    for name in (tables.live, *tables.shadow_tables):
        table = _describe_table(deployment, name)
        if table is None:
            parameter, list_tables = deployment.output("TablesParameter"), _list_tables(deployment)
            message = f"the parameter {parameter} names the table {name}, which does not exist: feedback waits"
            remedy = f"name an existing table in {parameter}; list them: {list_tables}"
            yield error("table_missing", message, remedy=remedy)
            continue
        yield from _check_usable(name, table)
        if name == tables.live:
            yield from _check_protection(deployment, name, table)


def _describe_table(deployment: Deployment, name: str) -> Mapping[str, Any] | None:
    answer = missing_ok(lambda: deployment.clients.dynamodb.describe_table(TableName=name))
    return answer and answer["Table"]


def _list_tables(deployment: Deployment) -> str:
    query = f"TableNames[?starts_with(@,'{deployment.stack.name}-')]"
    return deployment.aws_command(f'dynamodb list-tables --query "{query}"')


def _check_usable(name: str, table: Mapping[str, Any]) -> Iterator[Finding]:
    if table["TableStatus"] not in {"ACTIVE", "UPDATING"}:
        message = f"the table {name} is {table['TableStatus'].lower()}: feedback waits"
        yield error("table_not_active", message, remedy="find in CloudTrail who changed it, then check again")
    key_schema = tuple((part["AttributeName"], part["KeyType"]) for part in table["KeySchema"])
    if key_schema != KEY_SCHEMA:
        message = f"the key of the table {name} is not address and scope: nothing can be written to it"
        remedy = "name a table with that key, and rebuild it from the log"
        yield error("table_wrong_key", message, remedy=remedy)


def _check_protection(deployment: Deployment, name: str, table: Mapping[str, Any]) -> Iterator[Finding]:
    if not table.get("DeletionProtectionEnabled"):
        yield error(
            "table_deletable",
            f"deletion protection of the live table {name} is off: one call can delete it",
            remedy=deployment.aws_command(f"dynamodb update-table --table-name {name} --deletion-protection-enabled"),
        )
    key = deployment.stack.parameters.get("TableKey")
    used_key = table.get("SSEDescription", {}).get("KMSMasterKeyArn")
    if key and used_key != key:
        specification = f"Enabled=true,SSEType=KMS,KMSMasterKeyId={key}"
        yield error(
            "table_wrong_kms_key",
            f"the live table {name} is not encrypted with the key in the parameter TableKey",
            remedy=deployment.aws_command(
                f"dynamodb update-table --table-name {name} --sse-specification {specification}"
            ),
        )
    elif used_key and not key and _sender_accounts(deployment):
        yield error(
            "table_key_denies_senders",
            f"the live table {name} is encrypted with a key of this account: senders in other accounts cannot read it",
            remedy=deployment.aws_command(
                f"dynamodb update-table --table-name {name} --sse-specification Enabled=false"
            ),
        )


def _sender_accounts(deployment: Deployment) -> list[str]:
    accounts = deployment.stack.parameters.get("SenderAccounts", "")
    return [account.strip() for account in accounts.split(",") if account.strip()]


def check_senders(deployment: Deployment) -> Iterator[Finding]:
    """Check that the policy of the live table allows senders in other accounts, if there are any."""
    accounts = _sender_accounts(deployment)
    if not accounts:
        return
    arn = deployment.arn("dynamodb", f"table/{deployment.live_table()}")
    answer = missing_ok(lambda: deployment.clients.dynamodb.get_resource_policy(ResourceArn=arn), NO_POLICY)
    policy = msgspec.json.decode(answer["Policy"]) if answer and answer.get("Policy") else {"Statement": []}
    if denied := [account for account in accounts if not allows_account(policy, account, SENDER_ACTIONS)]:
        statement = {"Effect": "Allow", "Principal": {"AWS": accounts}, "Action": SENDER_ACTIONS, "Resource": arn}
        document = msgspec.json.encode({"Version": "2012-10-17", "Statement": [statement]}).decode()
        yield error(
            "table_denies_senders",
            f"the policy of the live table does not allow senders of {', '.join(denied)} to look up addresses",
            remedy=deployment.aws_command(f"dynamodb put-resource-policy --resource-arn {arn} --policy '{document}'"),
        )


def check_backups(deployment: Deployment) -> Iterator[Finding]:
    """Check point-in-time recovery of the live table."""
    name = deployment.live_table()
    answer = missing_ok(lambda: deployment.clients.dynamodb.describe_continuous_backups(TableName=name))
    if answer is None:
        return
    recovery = answer["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") != "ENABLED":
        yield error(
            "table_without_recovery",
            f"point-in-time recovery of the live table {name} is off: lost or damaged items cannot be restored",
            remedy=deployment.aws_command(
                f"dynamodb update-continuous-backups --table-name {name} "
                "--point-in-time-recovery-specification PointInTimeRecoveryEnabled=true,RecoveryPeriodInDays=35"
            ),
        )


def check_policy(deployment: Deployment) -> Iterator[Finding]:
    """Check that a sample of the live table has the verdicts of the policy in force, and of none that is newer.

    The projector must not overwrite verdicts of a newer policy. Older ones are right until their policy is replaced.
    """
    table = deployment.live_table()
    configuration = function_configuration(deployment, deployment.output("Projector"))
    sample = missing_ok(
        lambda: deployment.clients.dynamodb.scan(
            TableName=table, Limit=SAMPLE_ITEMS, ProjectionExpression="policy_version"
        )
    )
    if configuration is None or sample is None:
        return
    own_policy = parse_policy((environment_variables(configuration).get(POLICY) or "{}").encode())
    projector_version = deployment.tables().newest_policy(own_policy).version
    versions = [int(item["policy_version"]["N"]) for item in sample["Items"]]
    table_version = max(versions, default=projector_version)
    if table_version > projector_version:
        message = (
            f"the live table was written under policy version {table_version}, but the projector has version "
            f"{projector_version}: feedback waits"
        )
        remedy = f"publish the policy of version {table_version}, or a newer one, with `mailfold policy apply`"
        yield error("policy_outdated", message, remedy=remedy)
    if older := sum(version < projector_version for version in versions):
        message = (
            f"{older} of {len(versions)} items at the start of the live table have the verdict of an older policy than "
            f"version {projector_version}, which is in force"
        )
        yield warning("policy_not_applied", message, remedy=deployment.mailfold_command("policy apply"))
