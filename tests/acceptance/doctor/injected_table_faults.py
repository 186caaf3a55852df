"""Faults of the suppression table, and records that failed."""

from tests.acceptance.doctor.deployment_fixture import DeploymentFixture
from tests.acceptance.doctor.fault_injection import Fault, Heal


def _put_parameter(fixture: DeploymentFixture, value: str) -> Heal:
    ssm, name = fixture.client("ssm"), fixture["TablesParameter"]
    before = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    ssm.put_parameter(Name=name, Value=value, Overwrite=True)
    return lambda: ssm.put_parameter(Name=name, Value=before, Overwrite=True)


def _parameter_invalid(fixture: DeploymentFixture) -> None:
    _put_parameter(fixture, '{"alive": "mail"}')


def _parameter_missing(fixture: DeploymentFixture) -> Heal:
    ssm, name = fixture.client("ssm"), fixture["TablesParameter"]
    before = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    ssm.delete_parameter(Name=name)
    return lambda: ssm.put_parameter(Name=name, Value=before, Type="String")


def _table_deletable(fixture: DeploymentFixture) -> None:
    fixture.client("dynamodb").update_table(TableName=fixture["SuppressionTable"], DeletionProtectionEnabled=False)


def _table_without_recovery(fixture: DeploymentFixture) -> None:
    fixture.client("dynamodb").update_continuous_backups(
        TableName=fixture["SuppressionTable"], PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )


def _policy_outdated(fixture: DeploymentFixture) -> Heal:
    dynamodb, table = fixture.client("dynamodb"), fixture["SuppressionTable"]
    key = {"address": {"S": "ann@example.com"}, "scope": {"S": "*"}}
    dynamodb.put_item(TableName=table, Item=key | {"policy_version": {"N": "7"}})
    return lambda: dynamodb.delete_item(TableName=table, Key=key)


def _policy_not_applied(fixture: DeploymentFixture) -> Heal:
    dynamodb, table = fixture.client("dynamodb"), fixture["SuppressionTable"]
    key = {"address": {"S": "ann@example.com"}, "scope": {"S": "*"}}
    dynamodb.put_item(TableName=table, Item=key | {"policy_version": {"N": "1"}})
    heal_parameter = _put_parameter(fixture, f'{{"live": "{table}", "policy": {{"version": 2}}}}')

    def heal() -> None:
        heal_parameter()
        dynamodb.delete_item(TableName=table, Key=key)

    return heal


def _put_object(fixture: DeploymentFixture, key: str) -> Heal:
    s3, bucket = fixture.client("s3"), fixture["LogBucket"]
    s3.put_object(Bucket=bucket, Key=key, Body=b"{}")
    return lambda: s3.delete_object(Bucket=bucket, Key=key)


def _send_dead_letter(fixture: DeploymentFixture) -> Heal:
    sqs, url = fixture.client("sqs"), fixture["RuleDeadLetters"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    return lambda: sqs.purge_queue(QueueUrl=url)


def _dead_letters_denied(fixture: DeploymentFixture) -> Heal:
    sqs, url = fixture.client("sqs"), fixture["RuleDeadLetters"]
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    other = policy.replace(fixture["FeedbackRule"], "another-rule")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": other})
    return lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


FAULTS = (
    Fault(finding="parameter_missing", check="table", inject=_parameter_missing),
    Fault(
        finding="parameter_invalid", check="table", inject=_parameter_invalid, side_effects=frozenset({"not_checked"})
    ),
    Fault(
        finding="table_missing",
        check="table",
        inject=lambda fixture: _put_parameter(fixture, '{"live": "mail-suppression-nowhere"}'),
    ),
    Fault(finding="table_deletable", check="table", inject=_table_deletable),
    Fault(finding="table_without_recovery", check="table", inject=_table_without_recovery),
    Fault(finding="policy_outdated", check="table", inject=_policy_outdated),
    Fault(finding="policy_not_applied", check="table", inject=_policy_not_applied),
    Fault(
        finding="quarantine_not_empty",
        check="failed records",
        inject=lambda fixture: _put_object(fixture, "quarantine/ab/cd.json"),
    ),
    Fault(
        finding="failed_batches_not_empty",
        check="failed records",
        inject=lambda fixture: _put_object(fixture, "aws/lambda/one"),
    ),
    Fault(
        finding="delivery_errors_not_empty",
        check="failed records",
        inject=lambda fixture: _put_object(fixture, "errors/processing-failed/dt=2026-03-01/hr=10/one"),
    ),
    Fault(finding="dead_letters_not_empty", check="failed records", inject=_send_dead_letter),
    Fault(finding="dead_letters_denied", check="failed records", inject=_dead_letters_denied),
)
