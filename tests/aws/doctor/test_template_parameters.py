"""Findings that depend on the parameters of the stack, with answers of AWS that no emulator has."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipeline.aws.clients import Clients
from pipeline.aws.doctor.archive import check_lake_formation
from pipeline.aws.doctor.checks import CheckFunction
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.functions import check_concurrency, check_stream_mapping
from pipeline.aws.doctor.operations import check_alarm_subscribers, check_quota
from pipeline.aws.doctor.routing import check_rule
from pipeline.aws.doctor.table import check_senders, check_tables
from pipeline.aws.stack import Stack
from tests.support import cloudformation
from tests.support.cloudformation import ACCOUNT, NAME, PSEUDO_PARAMETERS, REGION, TOPIC

TABLE_ARN = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/live"
KEY, OTHER_KEY = (f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{name}" for name in ("table-key", "other-key"))
TABLE: Mapping[str, Any] = {
    "TableStatus": "ACTIVE",
    "KeySchema": [{"AttributeName": "address", "KeyType": "HASH"}, {"AttributeName": "scope", "KeyType": "RANGE"}],
    "DeletionProtectionEnabled": True,
}
MIB = 1 << 20


def a_deployment(services: Mapping[str, Mapping[str, Callable[..., Any]]], **parameters: str) -> Deployment:
    """Return a deployment, and the answers of its services by operation. The live table is named `live`."""
    outputs = cloudformation.stack(**parameters).outputs
    stack = Stack(
        name=NAME,
        id=PSEUDO_PARAMETERS["AWS::StackId"],
        status="CREATE_COMPLETE",
        parameters=parameters,
        outputs={name: str(output["Value"]) for name, output in outputs.items()},
    )
    ssm = SimpleNamespace(get_parameter=lambda **_: {"Parameter": {"Value": '{"live": "live"}'}})
    fakes = {"ssm": ssm, **{name: SimpleNamespace(**answers) for name, answers in services.items()}}
    return Deployment(stack=stack, clients=Clients(fakes.__getitem__), now=datetime(2026, 3, 2, tzinfo=UTC))


def answer(value: Any) -> Callable[..., Any]:
    """Return an operation that answers with a value."""
    return lambda **_: value


def failure(code: str) -> Callable[..., Any]:
    """Return an operation that fails with a code."""

    def fail(**_: Any) -> None:
        raise ClientError({"Error": {"Code": code}}, "any")

    return fail


def names(check: CheckFunction, deployment: Deployment) -> list[str]:
    """Return the names of a check's findings. Each has a remedy."""
    findings = list(check(deployment))
    assert all(finding.remedy for finding in findings)
    return [finding.name for finding in findings]


def a_mapping(**changes: Any) -> Deployment:
    """Return a deployment whose mapping from stream to projector differs from the template's."""
    mapping = {
        "State": "Enabled",
        "FunctionArn": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{{Projector}}",
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "EventSourceArn": "{FeedbackStream.Arn}",
        "DestinationConfig": {"OnFailure": {"Destination": "arn:aws:s3:::{LogBucket}"}},
        "MaximumRecordAgeInSeconds": 518_400,
        "MaximumRetryAttempts": -1,
        "BisectBatchOnFunctionError": True,
        "MetricsConfig": {"Metrics": ["EventCount"]},
    }
    stream = {"StreamDescriptionSummary": {"RetentionPeriodHours": 168}}
    return a_deployment(
        {
            "lambda": {"get_event_source_mapping": answer(mapping | changes)},
            "kinesis": {"describe_stream_summary": answer(stream)},
        }
    )


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({}, []),
        ({"MaximumRetryAttempts": 10_000}, ["mapping_retries_too_few"]),
        ({"MetricsConfig": {"Metrics": []}}, ["mapping_without_metrics"]),
    ],
)
def test_retries_are_unlimited_and_metrics_are_on(changes: dict[str, Any], found: list[str]) -> None:
    """Any number of retries ends in an outage, and without metrics no alarm reports an unread stream."""
    assert names(check_stream_mapping, a_mapping(**changes)) == found


@pytest.mark.parametrize(
    ("limit", "factor", "shards", "fewer"), [(1_000, 10, 4, None), (10, 4, 1, None), (10, 10, 1, 4), (10, 10, 3, 1)]
)
def test_the_projector_leaves_calls_for_the_transform(limit: int, factor: int, shards: int, fewer: int | None) -> None:
    """A new account has ten concurrent calls, and Firehose keeps back what the transform cannot take."""
    deployment = a_deployment(
        {
            "lambda": {
                "get_account_settings": answer({"AccountLimit": {"ConcurrentExecutions": limit}}),
                "get_event_source_mapping": answer({"ParallelizationFactor": factor}),
            },
            "kinesis": {"describe_stream_summary": answer({"StreamDescriptionSummary": {"OpenShardCount": shards}})},
        }
    )
    remedies = [finding.remedy for finding in check_concurrency(deployment)]
    assert len(remedies) == (fewer is not None)
    assert all(f"--param ParallelizationFactor={fewer} " in remedy for remedy in remedies)


@pytest.mark.parametrize(
    ("parameters", "used_key", "found"),
    [
        ({}, None, []),
        ({}, OTHER_KEY, []),  # stricter than the template
        ({"TableKey": KEY}, KEY, []),
        ({"TableKey": KEY}, None, ["table_wrong_kms_key"]),
        ({"TableKey": KEY}, OTHER_KEY, ["table_wrong_kms_key"]),
        ({"SenderAccounts": "210987654321"}, None, []),
        ({"SenderAccounts": "210987654321"}, OTHER_KEY, ["table_key_denies_senders"]),
    ],
)
def test_the_live_table_has_the_key_of_the_stack(
    parameters: dict[str, str], used_key: str | None, found: list[str]
) -> None:
    """A key that is not the operator's may deny senders in other accounts."""
    encryption = {"SSEDescription": {"Status": "ENABLED", "KMSMasterKeyArn": used_key}} if used_key else {}
    services = {"dynamodb": {"describe_table": answer({"Table": {**TABLE, **encryption}})}}
    assert names(check_tables, a_deployment(services, **parameters)) == found


def a_policy(account: str, *actions: str) -> Callable[..., Any]:
    """Return GetResourcePolicy of a table that allows an account these actions."""
    principal = {"AWS": f"arn:aws:iam::{account}:root"}
    statement = {"Effect": "Allow", "Principal": principal, "Action": actions, "Resource": TABLE_ARN}
    return answer({"Policy": json.dumps({"Statement": [statement]})})


@pytest.mark.parametrize(
    ("get_policy", "found"),
    [
        (a_policy("210987654321", "dynamodb:BatchGetItem", "dynamodb:GetItem"), []),
        (a_policy("210987654321", "dynamodb:GetItem"), ["table_denies_senders"]),
        (a_policy("111111111111", "dynamodb:*"), ["table_denies_senders"]),
        (failure("PolicyNotFoundException"), ["table_denies_senders"]),
    ],
)
def test_the_live_table_allows_senders_in_other_accounts(get_policy: Callable[..., Any], found: list[str]) -> None:
    """Each account of the parameter may look up, also in a table that a rebuild made the live one."""
    deployment = a_deployment({"dynamodb": {"get_resource_policy": get_policy}}, SenderAccounts="210987654321")
    assert names(check_senders, deployment) == found
    assert names(check_senders, a_deployment({})) == []


def metrics(**values: list[float]) -> Mapping[str, Mapping[str, Callable[..., Any]]]:
    """Return CloudWatch with the values of some metrics, by name."""

    def get_metric_statistics(*, MetricName: str, Statistics: list[str], **_: Any) -> Any:  # noqa: N803 - as in boto3
        return {"Datapoints": [{Statistics[0]: value} for value in values.get(MetricName, [])]}

    return {"cloudwatch": {"get_metric_statistics": get_metric_statistics}}


@pytest.mark.parametrize(
    ("bytes_in_5_minutes", "found"),
    [([], []), ([0.7 * 300 * MIB], []), ([1.0, 0.9 * 300 * MIB], ["firehose_close_to_quota"])],
)
def test_yesterdays_peak_is_compared_with_firehoses_quota(bytes_in_5_minutes: list[float], found: list[str]) -> None:
    """Beyond the quota Firehose throttles SES, whose retries AWS does not document."""
    deployment = a_deployment(metrics(IncomingBytes=bytes_in_5_minutes, BytesPerSecondLimit=[MIB]))
    assert names(check_quota, deployment) == found
    assert names(check_quota, a_deployment(metrics(IncomingBytes=bytes_in_5_minutes))) == []


@pytest.mark.parametrize(
    ("permissions", "parameters", "found"),
    [
        ([], {}, ["log_table_without_grant"]),
        ([], {"LakeFormation": "true"}, []),
        ([{"Principal": {"DataLakePrincipalIdentifier": "IAM_ALLOWED_PRINCIPALS"}, "Permissions": ["ALL"]}], {}, []),
    ],
)
def test_lake_formation_needs_a_grant(permissions: list[Any], parameters: dict[str, str], found: list[str]) -> None:
    """A database without default permissions is controlled by Lake Formation."""
    database = answer({"Database": {"CreateTableDefaultPermissions": permissions}})
    assert names(check_lake_formation, a_deployment({"glue": {"get_database": database}}, **parameters)) == found


def test_a_missing_topic_of_the_operator_is_replaced_by_a_parameter() -> None:
    """The stack does not create a topic that the operator names."""
    missing = {"sns": {"get_topic_attributes": failure("NotFound")}}
    [given] = check_alarm_subscribers(a_deployment(missing, AlarmTopic=TOPIC))
    [created] = check_alarm_subscribers(a_deployment(missing))
    assert "--param AlarmTopic=ARN" in given.remedy
    assert "StackAlarmTopic" in created.remedy


def ses_with(destinations: Mapping[str, str]) -> Mapping[str, Callable[..., Any]]:
    """Return SES with configuration sets, whose destination `archive` sends to a Firehose stream. Two pages."""
    pages = iter(
        [{"ConfigurationSets": [*destinations][:1], "NextToken": "2"}, {"ConfigurationSets": [*destinations][1:]}]
    )

    def get_destinations(*, ConfigurationSetName: str) -> Any:  # noqa: N803 - as in boto3
        firehose = {"DeliveryStreamArn": destinations[ConfigurationSetName], "IamRoleArn": "{SesRole.Arn}"}
        return {"EventDestinations": [{"Name": "archive", "Enabled": True, "KinesisFirehoseDestination": firehose}]}

    return {
        "list_configuration_sets": lambda **_: next(pages),
        "get_configuration_set_event_destinations": get_destinations,
    }


def test_a_stack_that_accepts_all_sets_is_checked_for_those_attached() -> None:
    """SES's other sets belong to other stacks or to none. They are listed once."""
    ses = ses_with({"{ConfigurationSet}": "{DeliveryStream.Arn}", "news": "{DeliveryStream.Arn}", "other": "another"})
    deployment = a_deployment({"sesv2": ses}, ConfigurationSets="*")
    assert deployment.configuration_sets == ("{ConfigurationSet}", "news")
    assert deployment.configuration_sets == ("{ConfigurationSet}", "news")


@pytest.mark.parametrize(("accepted", "found"), [({"exists": True}, []), ("news", ["rule_pattern_too_narrow"])])
def test_the_rule_of_a_stack_that_accepts_all_sets_matches_any(accepted: Any, found: list[str]) -> None:
    """EventBridge evaluates the pattern for an arbitrary set, and the remedy matches every one."""
    pattern = {"detail": {"mail": {"tags": {"ses:configuration-set": [accepted]}}}}
    events = {
        "describe_rule": answer({"State": "ENABLED", "EventPattern": json.dumps(pattern)}),
        "test_event_pattern": lambda *, EventPattern, Event: {"Result": "exists" in EventPattern or "news" in Event},  # noqa: N803 - as in boto3
    }
    ses = ses_with({"news": "{DeliveryStream.Arn}"})
    findings = list(check_rule(a_deployment({"events": events, "sesv2": ses}, ConfigurationSets="*")))
    assert [finding.name for finding in findings] == found
    assert all('{"exists":true}' in finding.remedy for finding in findings)
