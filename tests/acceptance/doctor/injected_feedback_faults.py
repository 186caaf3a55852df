"""Faults between the EventBridge rule and the projector."""

import json
from typing import Any

from tests.acceptance.doctor.deployment_fixture import DeploymentFixture
from tests.acceptance.doctor.fault_injection import Fault, Heal


def _role_not_assumable(fixture: DeploymentFixture) -> Heal:
    iam, role = fixture.client("iam"), fixture["FeedbackRuleRoleArn"].rpartition("/")[2]
    document = iam.get_role(RoleName=role)["Role"]["AssumeRolePolicyDocument"]
    other = json.dumps(document).replace("events.amazonaws.com", "ec2.amazonaws.com")
    iam.update_assume_role_policy(RoleName=role, PolicyDocument=other)
    return lambda: iam.update_assume_role_policy(RoleName=role, PolicyDocument=json.dumps(document))


def _rule_disabled(fixture: DeploymentFixture) -> None:
    fixture.client("events").disable_rule(Name=fixture["FeedbackRule"])


def _rule_pattern_too_narrow(fixture: DeploymentFixture) -> None:
    """Use a pattern on `resources`, where SES may put anything or nothing."""
    events, name = fixture.client("events"), fixture["FeedbackRule"]
    pattern = json.loads(events.describe_rule(Name=name)["EventPattern"])
    resources = [{"suffix": f"configuration-set/{fixture['ConfigurationSet']}"}]
    events.put_rule(Name=name, EventPattern=json.dumps(pattern | {"resources": resources}))


def _target_missing(fixture: DeploymentFixture) -> None:
    fixture.client("events").remove_targets(Rule=fixture["FeedbackRule"], Ids=["stream"])


def _remove_from_target(fixture: DeploymentFixture, without: str) -> None:
    events, name = fixture.client("events"), fixture["FeedbackRule"]
    [target] = events.list_targets_by_rule(Rule=name)["Targets"]
    del target[without]
    events.remove_targets(Rule=name, Ids=[target["Id"]])
    events.put_targets(Rule=name, Targets=[target])


def _stream_retention_too_short(fixture: DeploymentFixture) -> None:
    fixture.client("kinesis").decrease_stream_retention_period(
        StreamName=fixture["FeedbackStream"], RetentionPeriodHours=24
    )


def _stream_not_encrypted(fixture: DeploymentFixture) -> None:
    fixture.client("kinesis").stop_stream_encryption(
        StreamName=fixture["FeedbackStream"], EncryptionType="KMS", KeyId="alias/aws/kinesis"
    )


def _update_mapping(fixture: DeploymentFixture, **changes: Any) -> None:
    fixture.client("lambda").update_event_source_mapping(UUID=fixture["StreamMapping"], **changes)


def _change_environment(fixture: DeploymentFixture, **changes: str) -> Heal:
    functions, name = fixture.client("lambda"), fixture["Projector"]
    variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables | changes})
    return lambda: functions.update_function_configuration(FunctionName=name, Environment={"Variables": variables})


FAULTS = (
    Fault(finding="role_not_assumable", check="rule's role", inject=_role_not_assumable),
    Fault(finding="rule_disabled", check="rule", inject=_rule_disabled),
    Fault(finding="rule_pattern_too_narrow", check="rule", inject=_rule_pattern_too_narrow),
    Fault(finding="target_missing", check="rule", inject=_target_missing),
    Fault(
        finding="target_without_dead_letters",
        check="rule",
        inject=lambda fixture: _remove_from_target(fixture, "DeadLetterConfig"),
    ),
    Fault(finding="target_wrong_role", check="rule", inject=lambda fixture: _remove_from_target(fixture, "RoleArn")),
    Fault(
        finding="stream_retention_too_short",
        check="stream",
        inject=_stream_retention_too_short,
        side_effects=frozenset({"mapping_record_age_too_long"}),
    ),
    Fault(finding="stream_not_encrypted", check="stream", inject=_stream_not_encrypted),
    Fault(finding="mapping_disabled", check="mapping", inject=lambda fixture: _update_mapping(fixture, Enabled=False)),
    Fault(
        finding="mapping_ignores_partial_failures",
        check="mapping",
        inject=lambda fixture: _update_mapping(fixture, FunctionResponseTypes=[]),
    ),
    Fault(
        finding="mapping_retries_too_few",
        check="mapping",
        inject=lambda fixture: _update_mapping(fixture, MaximumRetryAttempts=3),
    ),
    Fault(
        finding="mapping_record_age_too_long",
        check="mapping",
        inject=lambda fixture: _update_mapping(fixture, MaximumRecordAgeInSeconds=604_800),
    ),
    Fault(
        finding="mapping_not_bisecting",
        check="mapping",
        inject=lambda fixture: _update_mapping(fixture, BisectBatchOnFunctionError=False),
    ),
    Fault(
        finding="mapping_without_destination",
        check="mapping",
        inject=lambda fixture: _update_mapping(
            fixture, DestinationConfig={"OnFailure": {"Destination": "arn:aws:s3:::elsewhere"}}
        ),
    ),
    Fault(
        finding="environment_wrong",
        check="projector",
        inject=lambda fixture: _change_environment(fixture, MAILFOLD_TABLE="other"),
    ),
    Fault(
        finding="environment_invalid_policy",
        check="projector",
        inject=lambda fixture: _change_environment(fixture, MAILFOLD_POLICY='{"hard": "perhaps"}'),
        side_effects=frozenset({"not_checked"}),  # whether the table has a newer policy
    ),
)
