"""The projector's handler: what it finds in its environment, what it logs and counts."""

import json
import traceback
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from pipeline.aws.clients import create_client
from pipeline.aws.dynamodb import DynamoSuppressionStore, table_definition
from pipeline.aws.lambdas import projector as module
from pipeline.aws.lambdas.projector import handler
from pipeline.batch import BatchReader
from pipeline.errors import Unavailable, UsageError
from tests.support.builders import ADA, a_bounce, a_delivery, in_eventbridge
from tests.support.lambda_events import (
    Context,
    a_kinesis_event,
    an_sns_event,
    an_sqs_event,
    message_id,
    sequence_number,
)

POISON = b"no JSON at all"
A_BOUNCE = in_eventbridge(a_bounce())

TABLE, BUCKET, STREAM = "suppression", "mail-log", "mail-log-stream"
PARAMETER = "/mailfold/mail/tables"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set up what the handler finds in its environment."""
    _forget()
    with mock_aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("MAILFOLD_TABLE", TABLE)
        monkeypatch.setenv("MAILFOLD_BUCKET", BUCKET)
        create_client("dynamodb").create_table(**table_definition(TABLE))
        create_client("s3").create_bucket(Bucket=BUCKET)
        yield
    _forget()


def _forget() -> None:
    """Make the container a new one."""
    module._wiring.cache_clear()
    module._warn_of_no_log.cache_clear()


def test_the_handler_stores_sets_aside_and_counts(cloud: None, capsys: pytest.CaptureFixture[str]) -> None:
    event = a_kinesis_event(A_BOUNCE, a_delivery(), POISON, A_BOUNCE)

    assert handler(event, Context()) == {"batchItemFailures": []}

    ((key, item),) = DynamoSuppressionStore(create_client("dynamodb"), table=TABLE).scan()
    assert (key.address, item.verdict.suppressed) == (ADA, True)
    assert create_client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
    counts = json.loads(capsys.readouterr().out.splitlines()[-1])
    names = ("BounceEvents", "DeliveryEvents", "Quarantined", "Facts", "Written", "Unchanged", "Faults", "Unfinished")
    assert [sum(counts[name]) for name in names] == [2, 1, 1, 2, 1, 0, 0, 0]
    assert counts["service"] == "projector"


def test_the_handler_reports_an_outage_logs_and_counts_it(
    cloud: None, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    create_client("dynamodb").delete_table(TableName=TABLE)

    assert handler(a_kinesis_event(a_delivery(), A_BOUNCE), Context()) == {
        "batchItemFailures": [{"itemIdentifier": sequence_number(1)}]
    }
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["Unfinished"] == [1.0]
    (told,) = [str(vars(record)) for record in caplog.records if record.name == "projector"]
    assert f"DynamoDB's BatchGetItem on the table {TABLE} ended in ResourceNotFoundException" in told
    assert ADA not in told


def test_the_handler_takes_its_policy_from_the_environment(cloud: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILFOLD_POLICY", '{"version":5,"hard":false}')
    handler(a_kinesis_event(A_BOUNCE), Context())

    ((_, item),) = DynamoSuppressionStore(create_client("dynamodb"), table=TABLE).scan()
    assert (item.verdict.suppressed, item.policy_version) == (False, 5)


@pytest.mark.filterwarnings("ignore:No application metrics")
def test_a_handler_without_its_settings_says_what_is_missing(cloud: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAILFOLD_TABLE")
    with pytest.raises(UsageError, match="MAILFOLD_TABLE is not set"):
        handler(a_kinesis_event(A_BOUNCE), Context())


def test_what_a_call_works_on_is_made_once_in_a_container(cloud: None) -> None:
    assert module._wiring() is module._wiring()


def test_the_handler_logs_an_error_of_ours_without_its_text(
    cloud: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError(ADA)

    monkeypatch.setattr(BatchReader, "read", broken)

    assert handler(a_kinesis_event(A_BOUNCE), Context()) == {"batchItemFailures": []}
    assert create_client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["Faults"] == [1.0]
    (told,) = [str(vars(record)) for record in caplog.records if record.name == "projector"]
    assert "ZeroDivisionError in test_projector_handler.py" in told
    assert ADA not in told


# From a topic: into the log too.


@pytest.fixture
def stream(cloud: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set up the way into the log; this Firehose writes what it gets into the bucket, call by call."""
    monkeypatch.setenv("MAILFOLD_DELIVERY_STREAM", STREAM)
    role = "arn:aws:iam::123456789012:role/delivery"
    destination: Any = {"RoleARN": role, "BucketARN": f"arn:aws:s3:::{BUCKET}", "Prefix": "log/"}
    create_client("firehose").create_delivery_stream(
        DeliveryStreamName=STREAM, DeliveryStreamType="DirectPut", ExtendedS3DestinationConfiguration=destination
    )


def logged() -> list[bytes]:
    """Return what each call put into the log."""
    s3 = create_client("s3")
    keys = [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET, Prefix="log/").get("Contents", [])]
    return [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]


def suppressed(table: str = TABLE) -> list[str]:
    return [key.address for key, _ in DynamoSuppressionStore(create_client("dynamodb"), table=table).scan()]


@pytest.mark.parametrize("an_event", [an_sqs_event, an_sns_event])
def test_what_came_by_a_topic_is_in_the_table_and_in_the_log(stream: None, an_event: Any) -> None:
    assert handler(an_event(a_bounce(), a_delivery()), Context()) == {"batchItemFailures": []}
    assert suppressed() == [ADA]
    assert logged() == [a_bounce() + a_delivery()]


def test_what_came_by_the_stream_is_in_the_log_already(stream: None) -> None:
    handler(a_kinesis_event(A_BOUNCE), Context())
    assert (suppressed(), logged()) == ([ADA], [])


def test_messages_that_are_not_in_the_log_stay_in_the_queue(
    stream: None, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    create_client("firehose").delete_delivery_stream(DeliveryStreamName=STREAM)

    failures = handler(an_sqs_event(a_bounce(), a_delivery()), Context())["batchItemFailures"]
    assert failures == [{"itemIdentifier": message_id(0)}, {"itemIdentifier": message_id(1)}]
    assert suppressed() == [ADA]
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["Unfinished"] == [1.0]
    assert "Firehose's PutRecordBatch ended in ResourceNotFoundException" in str(vars(caplog.records[-1]))


def test_a_call_by_sns_that_is_not_in_the_table_ends_in_an_error_and_is_not_in_the_log(
    stream: None, capsys: pytest.CaptureFixture[str]
) -> None:
    create_client("dynamodb").delete_table(TableName=TABLE)

    with pytest.raises(
        Unavailable, match=f"DynamoDB's BatchGetItem on the table {TABLE} ended in ResourceNotFoundException"
    ):
        handler(an_sns_event(a_bounce()), Context())
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["Unfinished"] == [1.0]
    assert logged() == []


def test_a_call_by_sns_that_is_not_in_the_log_ends_in_an_error_that_quotes_nothing_of_aws_s(stream: None) -> None:
    """Lambda logs an error with all that led to it, and what boto3 raises may quote what it was given."""
    create_client("firehose").delete_delivery_stream(DeliveryStreamName=STREAM)

    with pytest.raises(Unavailable, match="Firehose's PutRecordBatch ended in ResourceNotFoundException") as raised:
        handler(an_sns_event(a_bounce()), Context())
    told = "".join(traceback.format_exception(raised.value))
    assert "botocore" not in told
    assert ADA not in told


def test_without_a_way_into_the_log_the_table_alone_gets_it_and_that_is_said_once(
    cloud: None, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(3):
        assert handler(an_sqs_event(a_bounce()), Context()) == {"batchItemFailures": []}
    assert suppressed() == [ADA]
    (told,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "goes into the table alone" in told.getMessage()
    assert vars(told)["unset"] == "MAILFOLD_DELIVERY_STREAM"


def test_the_stream_needs_no_way_into_the_log(cloud: None, caplog: pytest.LogCaptureFixture) -> None:
    handler(a_kinesis_event(A_BOUNCE), Context())
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


@pytest.mark.filterwarnings("ignore:No application metrics")
def test_an_event_of_somebody_else_s_is_an_error(cloud: None) -> None:
    with pytest.raises(UsageError, match="called by aws:s3"):
        handler({"Records": [{"eventSource": "aws:s3"}]}, Context())


# The live table.


def test_the_parameter_says_which_tables_get_the_facts(cloud: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILFOLD_TABLES_PARAMETER", PARAMETER)
    for table in ("suppression-1", "suppression-2"):
        create_client("dynamodb").create_table(**table_definition(table))
    said = '{"live":"suppression-2","shadow_tables":["suppression-1"]}'
    create_client("ssm").put_parameter(Name=PARAMETER, Value=said, Type="String")

    assert handler(a_kinesis_event(A_BOUNCE), Context()) == {"batchItemFailures": []}
    assert [suppressed(table) for table in (TABLE, "suppression-1", "suppression-2")] == [[], [ADA], [ADA]]


def test_without_the_parameter_the_table_of_the_settings_gets_them(
    cloud: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAILFOLD_TABLES_PARAMETER", PARAMETER)
    assert handler(a_kinesis_event(A_BOUNCE), Context()) == {"batchItemFailures": []}
    assert suppressed() == [ADA]


@pytest.mark.parametrize(
    ("event", "failed"),
    [
        (a_kinesis_event(a_delivery(), A_BOUNCE), [sequence_number(0)]),
        (an_sqs_event(a_delivery(), a_bounce()), [message_id(0), message_id(1)]),
    ],
    ids=["kinesis", "sqs"],
)
def test_while_nobody_knows_which_table_is_live_nothing_is_done(
    cloud: None, event: Any, failed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MAILFOLD_TABLES_PARAMETER", PARAMETER)
    create_client("ssm").put_parameter(Name=PARAMETER, Value="suppression-1", Type="String")

    assert handler(event, Context()) == {"batchItemFailures": [{"itemIdentifier": each} for each in failed]}
    assert suppressed() == []
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["Unfinished"] == [1.0]
