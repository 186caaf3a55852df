"""Permissions: each role allows only what its service needs."""

from collections.abc import Iterator, Mapping
from inspect import signature
from typing import Any

import pytest

from pipeline.aws.quarantine import S3Quarantine
from tests.support.cloudformation import (
    ACCOUNT,
    CONTAINER,
    FILE,
    NAME,
    REGION,
    TOPIC,
    Stack,
    consumed_by,
    every,
    listed,
    stack,
    template,
)

FULL = stack(NotificationTopic=TOPIC, SourceBackup="true")
CONSUMED = consumed_by("container", NotificationTopic=TOPIC)
ROLES = {**CONSUMED.of_type("AWS::IAM::Role"), **FULL.of_type("AWS::IAM::Role")}
LINES = FILE.read_text().splitlines()
TABLES = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{NAME}-suppression-*"
TABLES_PARAMETER = f"arn:aws:ssm:{REGION}:{ACCOUNT}:parameter/mailfold/{NAME}/tables"

# The service that assumes each role.
SERVICES = {
    "ConsumerRole": "ecs-tasks",
    "ConsumerStartRole": "ecs-tasks",
    "DeliveryRole": "firehose",
    "FeedbackRuleRole": "events",
    "ProjectorRole": "lambda",
    "SesRole": "ses",
    "TransformRole": "lambda",
}
LOG_ACTIONS = {"logs:CreateLogStream", "logs:PutLogEvents"}
CONSUMER_ACTIONS = {
    *("kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords"),
    *("kinesis:GetShardIterator", "kinesis:ListShards"),
    *("dynamodb:CreateTable", "dynamodb:DeleteItem", "dynamodb:DescribeTable", "dynamodb:GetItem", "dynamodb:PutItem"),
    *("dynamodb:Query", "dynamodb:Scan", "dynamodb:UpdateItem", "dynamodb:UpdateTable"),  # leases
    *("dynamodb:BatchGetItem", "ssm:GetParameter", "s3:PutObject"),
}
ALLOWED = {
    "ConsumerRole": CONSUMER_ACTIONS,
    "ConsumerStartRole": LOG_ACTIONS
    | {
        *("ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetAuthorizationToken"),
        "ecr:GetDownloadUrlForLayer",
    },
    "SesRole": {"firehose:PutRecordBatch"},
    "FeedbackRuleRole": {"kinesis:PutRecord", "kinesis:PutRecords"},
    "TransformRole": LOG_ACTIONS,
    "DeliveryRole": {
        *("s3:AbortMultipartUpload", "s3:GetBucketLocation", "s3:GetObject", "s3:ListBucket"),
        *("s3:ListBucketMultipartUploads", "s3:PutObject", "logs:PutLogEvents"),
        *("glue:GetTable", "glue:GetTableVersion", "glue:GetTableVersions"),
        *("lambda:GetFunctionConfiguration", "lambda:InvokeFunction"),
    },
    "ProjectorRole": LOG_ACTIONS
    | {
        *("kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords"),
        *("kinesis:GetShardIterator", "kinesis:ListShards", "kinesis:ListStreams"),
        *("dynamodb:BatchGetItem", "dynamodb:PutItem", "ssm:GetParameter", "s3:ListBucket", "s3:PutObject"),
        *("firehose:PutRecordBatch", "sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"),
    },
}


def granted(document: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield each pair of action and resource that a policy document allows."""
    for statement in document["Statement"]:
        assert statement["Effect"] == "Allow"
        for action in listed(statement["Action"]):
            for resource in listed(statement["Resource"]):
                yield action, resource


def grants(role: str) -> set[tuple[str, str]]:
    if role == "ConsumerRole":
        return set(granted(CONSUMED.properties("ConsumerPolicy")["PolicyDocument"]))
    return {grant for policy in ROLES[role]["Policies"] for grant in granted(policy["PolicyDocument"])}


def actions_of_projector(created: Stack) -> set[str]:
    (policy,) = created.properties("ProjectorRole")["Policies"]
    return {action for action, _ in granted(policy["PolicyDocument"])}


def resources(role: str, action: str) -> set[str]:
    return {resource for granted_action, resource in grants(role) if granted_action == action}


def wildcards() -> list[tuple[str, int]]:
    """Return every action and resource with a wildcard, with its line in the template, from 0."""
    statements = [value for value in every(template()["Resources"]) if isinstance(value, dict) and "Effect" in value]
    values = [
        value for statement in statements for key in ("Action", "Resource") for value in every(statement.get(key))
    ]
    texts = [(_text(value), value.start_mark.line) for value in values if hasattr(value, "start_mark")]
    return [(text, line) for text, line in texts if "*" in text]


def _text(value: Any) -> str:
    """Return the text of a value, or of its `Fn::Sub`."""
    return str(value.get("Fn::Sub", "")) if isinstance(value, dict) else str(value) if isinstance(value, str) else ""


def test_every_role_is_known_and_trusts_one_service() -> None:
    trusted = {
        name: statement["Principal"]["Service"]
        for name, role in ROLES.items()
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
    }
    assert trusted == {name: f"{service}.amazonaws.com" for name, service in SERVICES.items()}


def test_each_function_has_a_role_of_its_own() -> None:
    roles = [function["Role"] for function in FULL.of_type("AWS::Lambda::Function").values()]
    assert sorted(roles) == ["{ProjectorRole.Arn}", "{TransformRole.Arn}"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_role_may_do_what_it_is_for_and_nothing_else(name: str) -> None:
    assert {action for action, _ in grants(name)} == ALLOWED[name]
    assert ROLES[name].get("ManagedPolicyArns", []) == (["{ConsumerPolicy}"] if name == "ConsumerRole" else [])
    assert ("Policies" in ROLES[name]) == (name != "ConsumerRole")


@pytest.mark.parametrize("consumer", ["container", "elsewhere"])
def test_a_projector_that_nobody_maps_to_the_stream_may_neither_read_it_nor_give_up_to_s3(consumer: str) -> None:
    without, queued, called = (
        actions_of_projector(consumed_by(consumer, **topic))
        for topic in (
            {},
            {"NotificationTopic": TOPIC},
            {"NotificationTopic": TOPIC, "NotificationRoute": "direct"},
        )
    )
    assert not {action for action in without | queued | called if action.startswith("kinesis:")}
    assert "s3:ListBucket" not in without | queued
    assert "s3:ListBucket" in called  # Lambda writes failed asynchronous calls of SNS there
    assert {"dynamodb:PutItem", "s3:PutObject"} <= without
    quarantine = f"{{LogBucket.Arn}}/{signature(S3Quarantine).parameters['prefix'].default}*"
    (policy,) = consumed_by(consumer).properties("ProjectorRole")["Policies"]
    assert {to for action, to in granted(policy["PolicyDocument"]) if action == "s3:PutObject"} == {quarantine}


def test_the_consumer_has_its_own_lease_tables_and_no_others() -> None:
    leases = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{NAME}-consumer"
    beside = {f"{leases}-CoordinatorState", f"{leases}-WorkerMetricStats"}
    for action in ("CreateTable", "DeleteItem", "DescribeTable", "GetItem", "Scan", "UpdateItem"):
        assert resources("ConsumerRole", f"dynamodb:{action}") == {leases, *beside}
    assert resources("ConsumerRole", "dynamodb:PutItem") == {leases, *beside, TABLES}
    assert resources("ConsumerRole", "dynamodb:UpdateTable") == {leases}
    assert resources("ConsumerRole", "dynamodb:Query") == {f"{leases}/index/LeaseOwnerToLeaseKeyIndex"}
    assert resources("ConsumerRole", "dynamodb:BatchGetItem") == {TABLES}
    assert leases.endswith(f":table/{CONSUMED.outputs['ConsumerApplication']['Value']}")


def test_the_consumer_reads_this_stream_and_sets_aside_where_the_projector_does() -> None:
    assert {to for action, to in grants("ConsumerRole") if action.startswith("kinesis:")} == {"{FeedbackStream.Arn}"}
    assert resources("ConsumerRole", "ssm:GetParameter") == {TABLES_PARAMETER}
    assert resources("ConsumerRole", "s3:PutObject") == {"{LogBucket.Arn}/quarantine/*"}


def test_ecs_fetches_from_the_one_repository_and_from_none_if_the_image_is_public() -> None:
    public = {**CONTAINER, "ConsumerRepository": ""}
    (policy,) = stack(**public).properties("ConsumerStartRole")["Policies"]
    assert {action for action, _ in granted(policy["PolicyDocument"])} == LOG_ACTIONS
    assert resources("ConsumerStartRole", "ecr:BatchGetImage") == {CONTAINER["ConsumerRepository"]}


def test_a_consumer_elsewhere_gets_the_same_policy_and_no_role() -> None:
    created = consumed_by("elsewhere")
    assert set(granted(created.properties("ConsumerPolicy")["PolicyDocument"])) == grants("ConsumerRole")
    assert created.outputs["ConsumerPolicyArn"]["Value"] == "{ConsumerPolicy}"
    assert "ConsumerRole" not in created.resources
    assert "ConsumerPolicy" not in stack().resources


@pytest.mark.parametrize("name", sorted(set(SERVICES) - {"TransformRole", "ProjectorRole"}))
def test_a_service_of_another_account_cannot_take_a_role_on(name: str) -> None:
    (statement,) = ROLES[name]["AssumeRolePolicyDocument"]["Statement"]
    assert ACCOUNT in statement["Condition"]["StringEquals"].values()


def test_only_this_stacks_rule_takes_the_rules_role_on() -> None:
    (statement,) = ROLES["FeedbackRuleRole"]["AssumeRolePolicyDocument"]["Statement"]
    rule = FULL.properties("FeedbackRule")["Name"]
    assert statement["Condition"]["ArnEquals"] == {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}"}


def test_no_action_is_a_wildcard_but_the_denial_without_tls() -> None:
    assert {action for name in SERVICES for action, _ in grants(name) if "*" in action} == set()
    assert [text for text, _ in wildcards() if text.endswith(":*")] == ["s3:*"]


def test_wildcards_are_found_wherever_they_stand() -> None:
    assert {"*", "s3:*", "${LogBucket.Arn}/*", "${LogBucket.Arn}/source/*"} < {text for text, _ in wildcards()}


@pytest.mark.parametrize(("text", "line"), wildcards(), ids=lambda value: str(value)[-24:])
def test_a_wildcard_has_a_comment_beside_or_above_it(text: str, line: int) -> None:
    assert text in LINES[line]
    above = [line_.strip() for line_ in LINES[line - 2 : line]]
    assert "  # " in LINES[line] or any(text_.startswith("# ") for text_ in above)


def test_no_resource_is_everything_but_where_an_action_knows_none() -> None:
    everything = {(name, action) for name in SERVICES for action, resource in grants(name) if resource == "*"}
    assert everything == {
        ("ProjectorRole", "kinesis:ListStreams"),
        ("ConsumerStartRole", "ecr:GetAuthorizationToken"),
    }


def test_the_projector_covers_every_suppression_table_of_the_stack() -> None:
    table = FULL.properties("SuppressionTable")["TableName"]
    assert resources("ProjectorRole", "dynamodb:PutItem") == {TABLES}
    assert resources("ProjectorRole", "dynamodb:BatchGetItem") == {TABLES}
    assert f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}".startswith(TABLES.rstrip("*"))


def test_the_projector_may_read_which_table_is_live() -> None:
    variables = FULL.properties("Projector")["Environment"]["Variables"]
    assert resources("ProjectorRole", "ssm:GetParameter") == {TABLES_PARAMETER}
    assert TABLES_PARAMETER.endswith(f":parameter{variables['MAILFOLD_TABLES_PARAMETER']}")


def test_the_projector_writes_where_the_quarantine_is_and_where_lambda_gives_up() -> None:
    quarantine = signature(S3Quarantine).parameters["prefix"].default
    assert resources("ProjectorRole", "s3:PutObject") == {
        f"{{LogBucket.Arn}}/{quarantine}*",
        "{LogBucket.Arn}/aws/lambda/*",
    }


def test_firehose_may_write_below_every_prefix_that_it_has() -> None:
    destination = FULL.properties("DeliveryStream")["ExtendedS3DestinationConfiguration"]
    prefixes = [
        place[key]
        for place in (destination, destination["S3BackupConfiguration"])
        for key in ("Prefix", "ErrorOutputPrefix")
    ]
    writable = [
        resource.removeprefix("{LogBucket.Arn}/").rstrip("*") for resource in resources("DeliveryRole", "s3:PutObject")
    ]
    assert all(prefix.startswith(tuple(writable)) for prefix in prefixes)
    assert len(writable) == 3


def test_a_sender_may_look_up_and_nothing_else() -> None:
    assert set(granted(FULL.properties("SenderPolicy")["PolicyDocument"])) == {
        ("dynamodb:BatchGetItem", TABLES),
        ("dynamodb:GetItem", TABLES),
        ("ssm:GetParameter", TABLES_PARAMETER),
    }
    assert FULL.outputs["SenderPolicyArn"]["Value"] == "{SenderPolicy}"
