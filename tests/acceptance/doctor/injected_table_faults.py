"""Faults of the table, and what was set aside."""

from tests.acceptance.doctor.deployment_fixture import Patient
from tests.acceptance.doctor.fault_injection import Mend, Plant


def _parameter(patient: Patient, value: str) -> Mend:
    ssm, name = patient.client("ssm"), patient["TablesParameter"]
    before = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    ssm.put_parameter(Name=name, Value=value, Overwrite=True)
    return lambda: ssm.put_parameter(Name=name, Value=before, Overwrite=True)


def _parameter_wrong(patient: Patient) -> None:
    _parameter(patient, '{"alive": "mail"}')


def _parameter_missing(patient: Patient) -> Mend:
    ssm, name = patient.client("ssm"), patient["TablesParameter"]
    before = ssm.get_parameter(Name=name)["Parameter"]["Value"]
    ssm.delete_parameter(Name=name)
    return lambda: ssm.put_parameter(Name=name, Value=before, Type="String")


def _table_deletable(patient: Patient) -> None:
    patient.client("dynamodb").update_table(TableName=patient["SuppressionTable"], DeletionProtectionEnabled=False)


def _table_without_recovery(patient: Patient) -> None:
    patient.client("dynamodb").update_continuous_backups(
        TableName=patient["SuppressionTable"], PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": False}
    )


def _policy_outdated(patient: Patient) -> Mend:
    dynamodb, table = patient.client("dynamodb"), patient["SuppressionTable"]
    key = {"address": {"S": "ann@example.com"}, "scope": {"S": "*"}}
    dynamodb.put_item(TableName=table, Item=key | {"policy_version": {"N": "7"}})
    return lambda: dynamodb.delete_item(TableName=table, Key=key)


def _object(patient: Patient, key: str) -> Mend:
    s3, bucket = patient.client("s3"), patient["LogBucket"]
    s3.put_object(Bucket=bucket, Key=key, Body=b"{}")
    return lambda: s3.delete_object(Bucket=bucket, Key=key)


def _dead_letter(patient: Patient) -> Mend:
    sqs, url = patient.client("sqs"), patient["RuleDeadLetters"]
    sqs.send_message(QueueUrl=url, MessageBody="{}")
    return lambda: sqs.purge_queue(QueueUrl=url)


def _dead_letters_refused(patient: Patient) -> Mend:
    sqs, url = patient.client("sqs"), patient["RuleDeadLetters"]
    policy = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])["Attributes"]["Policy"]
    elsewhere = policy.replace(patient["FeedbackRule"], "another-rule")
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": elsewhere})
    return lambda: sqs.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})


PLANTS = (
    Plant(finding="parameter_missing", link="table", by=_parameter_missing),
    Plant(finding="parameter_wrong", link="table", by=_parameter_wrong, besides=frozenset({"not_looked_at"})),
    Plant(
        finding="table_missing", link="table", by=lambda mail: _parameter(mail, '{"live": "mail-suppression-nowhere"}')
    ),
    Plant(finding="table_deletable", link="table", by=_table_deletable),
    Plant(finding="table_without_recovery", link="table", by=_table_without_recovery),
    Plant(finding="policy_outdated", link="table", by=_policy_outdated),
    Plant(finding="quarantine_not_empty", link="set aside", by=lambda mail: _object(mail, "quarantine/ab/cd.json")),
    Plant(finding="given_up_not_empty", link="set aside", by=lambda mail: _object(mail, "aws/lambda/one")),
    Plant(
        finding="errors_not_empty",
        link="set aside",
        by=lambda mail: _object(mail, "errors/processing-failed/dt=2026-03-01/hr=10/one"),
    ),
    Plant(finding="dead_letters_not_empty", link="set aside", by=_dead_letter),
    Plant(finding="dead_letters_refused", link="set aside", by=_dead_letters_refused),
)
