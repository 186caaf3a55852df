"""Faults of the way to the table."""

import json
from typing import Any

from tests.acceptance.doctor.deployment_fixture import Patient
from tests.acceptance.doctor.fault_injection import Mend, Plant


def _role_not_trusting(patient: Patient) -> Mend:
    iam, role = patient.client("iam"), patient["FeedbackRuleRoleArn"].rpartition("/")[2]
    document = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    elsewhere = json.dumps(document).replace("events.amazonaws.com", "ec2.amazonaws.com")
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=elsewhere)
    return lambda: iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))


def _rule_disabled(patient: Patient) -> None:
    patient.client("events").disable_rule(Name=patient["FeedbackRule"])


def _rule_holds_back(patient: Patient) -> None:
    """A pattern that asks for one of `resources`, where SES may put anything or nothing."""
    events, name = patient.client("events"), patient["FeedbackRule"]
    pattern = json.loads(events.describe_rule(Name=name)["EventPattern"])
    resources = [{"suffix": f"configuration-set/{patient['ConfigurationSet']}"}]
    events.put_rule(Name=name, EventPattern=json.dumps(pattern | {"resources": resources}))


def _target_missing(patient: Patient) -> None:
    patient.client("events").remove_targets(Rule=patient["FeedbackRule"], Ids=["stream"])


def _target(patient: Patient, without: str) -> None:
    events, name = patient.client("events"), patient["FeedbackRule"]
    [target] = events.list_targets_by_rule(Rule=name)["Targets"]
    del target[without]
    events.remove_targets(Rule=name, Ids=[target["Id"]])
    events.put_targets(Rule=name, Targets=[target])


def _stream_forgets(patient: Patient) -> None:
    patient.client("kinesis").decrease_stream_retention_period(
        StreamName=patient["FeedbackStream"], RetentionPeriodHours=24
    )


def _stream_not_encrypted(patient: Patient) -> None:
    patient.client("kinesis").stop_stream_encryption(
        StreamName=patient["FeedbackStream"], EncryptionType="KMS", KeyId="alias/aws/kinesis"
    )


def _mapping(patient: Patient, **changes: Any) -> None:
    patient.client("lambda").update_event_source_mapping(UUID=patient["StreamMapping"], **changes)


def _environment(patient: Patient, **changes: str) -> Mend:
    functions, name = patient.client("lambda"), patient["Projector"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables | changes})
    return lambda: functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})


PLANTS = (
    Plant(finding="role_not_trusting", link="rule's role", by=_role_not_trusting),
    Plant(finding="rule_disabled", link="rule", by=_rule_disabled),
    Plant(finding="rule_holds_back", link="rule", by=_rule_holds_back),
    Plant(finding="target_missing", link="rule", by=_target_missing),
    Plant(finding="target_without_dead_letters", link="rule", by=lambda mail: _target(mail, "DeadLetterConfig")),
    Plant(finding="target_of_other_role", link="rule", by=lambda mail: _target(mail, "RoleArn")),
    Plant(
        finding="stream_forgets",
        link="stream",
        by=_stream_forgets,
        besides=frozenset({"mapping_outlasts_stream"}),
    ),
    Plant(finding="stream_not_encrypted", link="stream", by=_stream_not_encrypted),
    Plant(finding="mapping_disabled", link="mapping", by=lambda mail: _mapping(mail, Enabled=False)),
    Plant(finding="mapping_deaf", link="mapping", by=lambda mail: _mapping(mail, FunctionResponseTypes=[])),
    Plant(finding="mapping_gives_up", link="mapping", by=lambda mail: _mapping(mail, MaximumRetryAttempts=3)),
    Plant(
        finding="mapping_outlasts_stream",
        link="mapping",
        by=lambda mail: _mapping(mail, MaximumRecordAgeInSeconds=604_800),
    ),
    Plant(
        finding="mapping_not_bisecting",
        link="mapping",
        by=lambda mail: _mapping(mail, BisectBatchOnFunctionError=False),
    ),
    Plant(
        finding="mapping_without_destination",
        link="mapping",
        by=lambda mail: _mapping(mail, DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::elsewhere"}}),
    ),
    Plant(finding="environment_differs", link="projector", by=lambda mail: _environment(mail, MAILFOLD_TABLE="other")),
    Plant(
        finding="environment_without_policy",
        link="projector",
        by=lambda mail: _environment(mail, MAILFOLD_POLICY='{"hard": "perhaps"}'),
        besides=frozenset({"not_looked_at"}),  # whether the table is of a newer policy
    ),
)
