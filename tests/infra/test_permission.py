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
    "ReconcilerRole": "lambda",
    "SesRole": "ses",
    "TransformRole": "lambda",
}
LOG_ACTIONS = {"logs:CreateLogStream", "logs:PutLogEvents"}
CONSUMER_ACTIONS = {
    *("kinesis:DescribeStream", "kinesis:DescribeStreamSummary", "kinesis:GetRecords"),
    *("kinesis:GetShardIterator", "kinesis:ListShards"),
    *("dynamodb:ConditionCheckItem", "dynamodb:CreateTable", "dynamodb:DeleteItem", "dynamodb:DescribeTable"),
    *("dynamodb:GetItem", "dynamodb:PutItem"),
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
    "ReconcilerRole": LOG_ACTIONS
    | {
        *("athena:GetQueryExecution", "athena:GetQueryResults", "athena:StartQueryExecution"),
        *("athena:StopQueryExecution", "glue:GetDatabase", "glue:GetTable"),
        *("s3:GetBucketLocation", "s3:ListBucket", "s3:GetObject", "s3:PutObject"),
        *("dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:Scan", "ssm:GetParameter"),
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
    """Return the pairs of action and resource that a role allows."""
    if role == "ConsumerRole":
        return set(granted(CONSUMED.properties("ConsumerPolicy")["PolicyDocument"]))
    return {grant for policy in ROLES[role]["Policies"] for grant in granted(policy["PolicyDocument"])}


def projector_actions(created: Stack) -> set[str]:
    """Return the actions that the projector's role allows."""
    (policy,) = created.properties("ProjectorRole")["Policies"]
    return {action for action, _ in granted(policy["PolicyDocument"])}


def resources(role: str, action: str) -> set[str]:
    """Return the resources of an action of a role."""
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
    """Every role of the template is listed, and only its service can assume it."""
    trusted = {
        name: statement["Principal"]["Service"]
        for name, role in ROLES.items()
        for statement in role["AssumeRolePolicyDocument"]["Statement"]
    }
    assert trusted == {name: f"{service}.amazonaws.com" for name, service in SERVICES.items()}


def test_each_function_has_its_own_role() -> None:
    """No two functions share a role."""
    roles = [function["Role"] for function in FULL.of_type("AWS::Lambda::Function").values()]
    assert sorted(roles) == ["{ProjectorRole.Arn}", "{ReconcilerRole.Arn}", "{TransformRole.Arn}"]


@pytest.mark.parametrize("name", SERVICES)
def test_a_role_allows_the_listed_actions_only(name: str) -> None:
    """A new permission needs an entry in this file."""
    assert {action for action, _ in grants(name)} == ALLOWED[name]
    assert ROLES[name].get("ManagedPolicyArns", []) == (["{ConsumerPolicy}"] if name == "ConsumerRole" else [])
    assert ("Policies" in ROLES[name]) == (name != "ConsumerRole")


@pytest.mark.parametrize("consumer", ["container", "elsewhere"])
def test_a_projector_without_a_mapping_cannot_read_the_stream(consumer: str) -> None:
    """Without a mapping the projector's role has no permission for the stream or for discarded batches."""
    without, queued, called = (
        projector_actions(consumed_by(consumer, **topic))
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


def test_the_consumer_has_access_to_its_lease_tables_only() -> None:
    """Each action on lease tables is limited to the tables that need it."""
    leases = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{NAME}-consumer-5af3dc00"
    beside = {f"{leases}-CoordinatorState", f"{leases}-WorkerMetricStats"}
    for action in ("ConditionCheckItem", "CreateTable", "DeleteItem", "DescribeTable", "GetItem", "Scan", "UpdateItem"):
        assert resources("ConsumerRole", f"dynamodb:{action}") == {leases, *beside}
    assert resources("ConsumerRole", "dynamodb:PutItem") == {leases, *beside, TABLES}
    assert resources("ConsumerRole", "dynamodb:UpdateTable") == {leases}
    assert resources("ConsumerRole", "dynamodb:Query") == {f"{leases}/index/LeaseOwnerToLeaseKeyIndex"}
    assert resources("ConsumerRole", "dynamodb:BatchGetItem") == {TABLES}
    assert leases.endswith(f":table/{CONSUMED.outputs['ConsumerApplication']['Value']}")


def test_the_consumer_has_the_stream_and_the_quarantine() -> None:
    """The consumer reads only this stream, and writes to the same quarantine as the projector."""
    assert {to for action, to in grants("ConsumerRole") if action.startswith("kinesis:")} == {"{FeedbackStream.Arn}"}
    assert resources("ConsumerRole", "ssm:GetParameter") == {TABLES_PARAMETER}
    assert resources("ConsumerRole", "s3:PutObject") == {"{LogBucket.Arn}/quarantine/*"}


def test_ecs_pulls_from_the_given_repository_only() -> None:
    """A public image needs no permission."""
    public = {**CONTAINER, "ConsumerRepository": ""}
    (policy,) = stack(**public).properties("ConsumerStartRole")["Policies"]
    assert {action for action, _ in granted(policy["PolicyDocument"])} == LOG_ACTIONS
    assert resources("ConsumerStartRole", "ecr:BatchGetImage") == {CONTAINER["ConsumerRepository"]}


def test_a_consumer_elsewhere_has_the_policy_without_a_role() -> None:
    """The policy equals that of the container, and the stack of Lambda has none."""
    created = consumed_by("elsewhere")
    assert set(granted(created.properties("ConsumerPolicy")["PolicyDocument"])) == grants("ConsumerRole")
    assert created.outputs["ConsumerPolicyArn"]["Value"] == "{ConsumerPolicy}"
    assert "ConsumerRole" not in created.resources
    assert "ConsumerPolicy" not in stack().resources


@pytest.mark.parametrize(
    "name", sorted(set(SERVICES) - {"TransformRole", "ProjectorRole", "ReconcilerRole", "ConsumerStartRole"})
)
def test_a_role_cannot_be_assumed_for_another_account(name: str) -> None:
    """The trust policy names the account. Lambda, and ECS when it starts a task, send no source."""
    (statement,) = ROLES[name]["AssumeRolePolicyDocument"]["Statement"]
    assert ACCOUNT in statement["Condition"]["StringEquals"].values()


def test_only_the_stacks_rule_assumes_its_role() -> None:
    """The trust policy names the rule."""
    (statement,) = ROLES["FeedbackRuleRole"]["AssumeRolePolicyDocument"]["Statement"]
    rule = FULL.properties("FeedbackRule")["Name"]
    assert statement["Condition"]["ArnEquals"] == {"aws:SourceArn": f"arn:aws:events:{REGION}:{ACCOUNT}:rule/{rule}"}


def test_the_writers_of_each_store_are_known() -> None:
    """No other role writes to the stream, the delivery stream, the tables or the bucket."""
    writers = {
        "kinesis:PutRecord": {"FeedbackRuleRole"},
        "firehose:PutRecordBatch": {"SesRole", "ProjectorRole"},
        "dynamodb:PutItem": {"ConsumerRole", "ProjectorRole", "ReconcilerRole"},
        "s3:PutObject": {"ConsumerRole", "DeliveryRole", "ProjectorRole", "ReconcilerRole"},
    }
    assert {action: {role for role in SERVICES if resources(role, action)} for action in writers} == writers


def test_no_allowed_action_is_a_wildcard() -> None:
    """The only wildcard action is in the denial of requests without TLS."""
    assert {action for name in SERVICES for action, _ in grants(name) if "*" in action} == set()
    assert [text for text, _ in wildcards() if text.endswith(":*")] == ["s3:*"]


def test_wildcards_are_found_in_all_policies() -> None:
    """The search finds wildcards in plain strings, in Fn::Sub and in Fn::If."""
    assert {"*", "s3:*", "${LogBucket.Arn}/*", "${LogBucket.Arn}/source/*"} < {text for text, _ in wildcards()}


@pytest.mark.parametrize(("text", "line"), wildcards(), ids=lambda value: str(value)[-24:])
def test_a_wildcard_has_a_comment(text: str, line: int) -> None:
    """Every wildcard is explained in its line or in the two lines above."""
    assert text in LINES[line]
    above = [line_.strip() for line_ in LINES[line - 2 : line]]
    assert "  # " in LINES[line] or any(text_.startswith("# ") for text_ in above)


def test_all_resources_are_allowed_only_for_actions_without_any() -> None:
    """The resource `*` is used for two actions that support no other."""
    everything = {(name, action) for name in SERVICES for action, resource in grants(name) if resource == "*"}
    assert everything == {
        ("ProjectorRole", "kinesis:ListStreams"),
        ("ConsumerStartRole", "ecr:GetAuthorizationToken"),
    }


def test_the_projector_can_write_every_suppression_table() -> None:
    """The permission covers the stack's table and those of rebuilds."""
    table = FULL.properties("SuppressionTable")["TableName"]
    assert resources("ProjectorRole", "dynamodb:PutItem") == {TABLES}
    assert resources("ProjectorRole", "dynamodb:BatchGetItem") == {TABLES}
    assert f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{table}".startswith(TABLES.rstrip("*"))


def test_the_projector_can_read_the_parameter_of_the_live_table() -> None:
    """The permission matches the parameter in the environment."""
    variables = FULL.properties("Projector")["Environment"]["Variables"]
    assert resources("ProjectorRole", "ssm:GetParameter") == {TABLES_PARAMETER}
    assert TABLES_PARAMETER.endswith(f":parameter{variables['MAILFOLD_TABLES_PARAMETER']}")


def test_the_projector_can_write_quarantine_and_discarded_batches() -> None:
    """S3 permissions are limited to the two prefixes."""
    quarantine = signature(S3Quarantine).parameters["prefix"].default
    assert resources("ProjectorRole", "s3:PutObject") == {
        f"{{LogBucket.Arn}}/{quarantine}*",
        "{LogBucket.Arn}/aws/lambda/*",
    }


def test_firehose_can_write_below_all_its_prefixes() -> None:
    """Log, errors and source backup are covered, and nothing else."""
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
