"""The projector's handler: its settings, its log, its metrics, and the live table."""

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
from pipeline.decode import decode
from pipeline.errors import NotFound, Unavailable, UsageError
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
    """Set up table and bucket, and the variables that name them."""
    start_container()
    with mock_aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("MAILFOLD_TABLE", TABLE)
        monkeypatch.setenv("MAILFOLD_BUCKET", BUCKET)
        create_client("dynamodb").create_table(**table_definition(TABLE))
        create_client("s3").create_bucket(Bucket=BUCKET)
        yield
    start_container()


def start_container() -> None:
    """Forget the objects of the container before."""
    module._runtime.cache_clear()
    module._warn_of_missing_log.cache_clear()


def metrics_in(output: str) -> dict[str, Any]:
    """Return the metrics of the last line of the log, by name."""
    metrics: dict[str, Any] = json.loads(output.splitlines()[-1])
    return metrics


def test_a_batch_is_stored_and_counted(cloud: None, capsys: pytest.CaptureFixture[str]) -> None:
    """Facts are in the table, poison is in the quarantine, and the metrics count both."""
    event = a_kinesis_event(A_BOUNCE, a_delivery(), POISON, A_BOUNCE)

    assert handler(event, Context()) == {"batchItemFailures": []}

    ((key, item),) = DynamoSuppressionStore(create_client("dynamodb"), table=TABLE).scan()
    assert (key.address, item.verdict.suppressed) == (ADA, True)
    assert create_client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
    counts = metrics_in(capsys.readouterr().out)
    names = (
        "BounceEvents",
        "DeliveryEvents",
        "Quarantined",
        "Facts",
        "Written",
        "Unchanged",
        "InternalErrors",
        "Unfinished",
    )
    assert [sum(counts[name]) for name in names] == [2, 1, 1, 2, 1, 0, 0, 0]
    assert counts["service"] == "projector"


def test_an_outage_is_reported_logged_and_counted(
    cloud: None, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The log says what failed, to which table, and holds no address."""
    create_client("dynamodb").delete_table(TableName=TABLE)

    assert handler(a_kinesis_event(a_delivery(), A_BOUNCE), Context()) == {
        "batchItemFailures": [{"itemIdentifier": sequence_number(1)}]
    }
    assert metrics_in(capsys.readouterr().out)["Unfinished"] == [1.0]
    (entry,) = [str(vars(record)) for record in caplog.records if record.name == "projector"]
    assert f"not found while reading the table {TABLE}: ResourceNotFoundException" in entry
    assert ADA not in entry


def test_the_policy_is_that_of_the_environment(cloud: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Verdicts are stored under it, with its version."""
    monkeypatch.setenv("MAILFOLD_POLICY", '{"version":5,"hard":null}')
    handler(a_kinesis_event(A_BOUNCE), Context())

    ((_, item),) = DynamoSuppressionStore(create_client("dynamodb"), table=TABLE).scan()
    assert (item.verdict.suppressed, item.policy_version) == (False, 5)


@pytest.mark.filterwarnings("ignore:No application metrics")
def test_a_missing_setting_is_an_error_that_names_it(cloud: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function that is set up wrongly must not acknowledge anything."""
    monkeypatch.delenv("MAILFOLD_TABLE")
    with pytest.raises(UsageError, match="MAILFOLD_TABLE is not set"):
        handler(a_kinesis_event(A_BOUNCE), Context())


def test_the_runtime_is_made_once_per_container(cloud: None) -> None:
    """Later invocations use its clients."""
    assert module._runtime() is module._runtime()


def test_an_internal_error_is_logged_without_its_text(
    cloud: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The record is quarantined, and the log names the exception's type and line only: its text may be an address."""

    def broken(*_: Any) -> None:
        raise ZeroDivisionError(ADA)

    monkeypatch.setattr(BatchReader, "read", broken)

    assert handler(a_kinesis_event(A_BOUNCE), Context()) == {"batchItemFailures": []}
    assert create_client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
    assert metrics_in(capsys.readouterr().out)["InternalErrors"] == [1.0]
    (entry,) = [str(vars(record)) for record in caplog.records if record.name == "projector"]
    assert "ZeroDivisionError in test_projector_handler.py" in entry
    assert ADA not in entry


def test_an_error_of_the_process_fails_the_batch_and_blames_no_record(
    cloud: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lambda tries the batch again from the first record, and nothing is in quarantine."""

    def fail(*_: Any) -> None:
        raise MemoryError

    monkeypatch.setattr(BatchReader, "read", fail)

    event = a_kinesis_event(A_BOUNCE, A_BOUNCE)
    first = event["Records"][0]["kinesis"]["sequenceNumber"]
    assert handler(event, Context()) == {"batchItemFailures": [{"itemIdentifier": first}]}
    assert create_client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 0


# From a queue or a topic: into the log too.


@pytest.fixture
def stream(cloud: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Set up the log's delivery stream. moto's writes each call's records into the bucket as one object."""
    monkeypatch.setenv("MAILFOLD_DELIVERY_STREAM", STREAM)
    role = "arn:aws:iam::123456789012:role/delivery"
    destination: Any = {"RoleARN": role, "BucketARN": f"arn:aws:s3:::{BUCKET}", "Prefix": "log/"}
    create_client("firehose").create_delivery_stream(
        DeliveryStreamName=STREAM, DeliveryStreamType="DirectPut", ExtendedS3DestinationConfiguration=destination
    )


def logged() -> list[bytes]:
    """Return the data that each call put into the log."""
    s3 = create_client("s3")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET, Prefix="log/").get("Contents", [])]
    return [s3.get_object(Bucket=BUCKET, Key=key)["Body"].read() for key in keys]


def suppressed(table: str = TABLE) -> list[str]:
    return [key.address for key, _ in DynamoSuppressionStore(create_client("dynamodb"), table=table).scan()]


@pytest.mark.parametrize("an_event", [an_sqs_event, an_sns_event])
def test_messages_are_stored_in_table_and_log(stream: None, an_event: Any) -> None:
    """SES does not archive what comes through SNS or SQS."""
    assert handler(an_event(a_bounce(), a_delivery()), Context()) == {"batchItemFailures": []}
    assert suppressed() == [ADA]
    [data] = logged()
    assert [outcome.raw for outcome in decode(data)] == [a_bounce(), a_delivery()]


def test_records_of_the_stream_are_not_logged(stream: None) -> None:
    """They are in the log already."""
    handler(a_kinesis_event(A_BOUNCE), Context())
    assert (suppressed(), logged()) == ([ADA], [])


def test_messages_that_cannot_be_logged_stay_in_the_queue(
    stream: None, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """The table has them, and the retry changes nothing there."""
    create_client("firehose").delete_delivery_stream(DeliveryStreamName=STREAM)

    failures = handler(an_sqs_event(a_bounce(), a_delivery()), Context())["batchItemFailures"]
    assert failures == [{"itemIdentifier": message_id(0)}, {"itemIdentifier": message_id(1)}]
    assert suppressed() == [ADA]
    assert metrics_in(capsys.readouterr().out)["Unfinished"] == [1.0]
    assert f"while putting records into the delivery stream {STREAM}" in str(vars(caplog.records[-1]))


def test_a_notification_that_cannot_be_stored_is_an_error(stream: None, capsys: pytest.CaptureFixture[str]) -> None:
    """It is counted, and the log does not get it before the table."""
    create_client("dynamodb").delete_table(TableName=TABLE)

    with pytest.raises(NotFound, match=f"reading the table {TABLE}: ResourceNotFoundException"):
        handler(an_sns_event(a_bounce()), Context())
    assert metrics_in(capsys.readouterr().out)["Unfinished"] == [1.0]
    assert logged() == []


def test_the_error_of_a_notification_has_no_cause(stream: None) -> None:
    """Lambda logs an error with its causes, and boto3's errors may quote their arguments."""
    create_client("firehose").delete_delivery_stream(DeliveryStreamName=STREAM)

    with pytest.raises(Unavailable, match=f"the delivery stream {STREAM}: ResourceNotFoundException") as raised:
        handler(an_sns_event(a_bounce()), Context())
    logged_error = "".join(traceback.format_exception(raised.value))
    assert "botocore" not in logged_error
    assert ADA not in logged_error


def test_without_a_delivery_stream_one_warning_is_logged(cloud: None, caplog: pytest.LogCaptureFixture) -> None:
    """Messages are stored in the table only, and the warning names the variable, once per container."""
    for _ in range(3):
        assert handler(an_sqs_event(a_bounce()), Context()) == {"batchItemFailures": []}
    assert suppressed() == [ADA]
    (warning,) = [record for record in caplog.records if record.levelname == "WARNING"]
    assert "stored in the table only" in warning.getMessage()
    assert vars(warning)["unset"] == "MAILFOLD_DELIVERY_STREAM"


def test_the_stream_needs_no_delivery_stream(cloud: None, caplog: pytest.LogCaptureFixture) -> None:
    """A projector of the Kinesis stream logs no warning."""
    handler(a_kinesis_event(A_BOUNCE), Context())
    assert [record for record in caplog.records if record.levelname == "WARNING"] == []


@pytest.mark.filterwarnings("ignore:No application metrics")
def test_an_event_of_another_source_is_an_error(cloud: None) -> None:
    """It must not look like a batch that is done."""
    with pytest.raises(UsageError, match="invoked by aws:s3"):
        handler({"Records": [{"eventSource": "aws:s3"}]}, Context())


# The live table.


def test_the_parameter_names_the_tables_that_are_written(cloud: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Live table and shadow table get the facts, and the table of the settings does not."""
    monkeypatch.setenv("MAILFOLD_TABLES_PARAMETER", PARAMETER)
    for table in ("suppression-1", "suppression-2"):
        create_client("dynamodb").create_table(**table_definition(table))
    tables = '{"live":"suppression-2","shadow_tables":["suppression-1"]}'
    create_client("ssm").put_parameter(Name=PARAMETER, Value=tables, Type="String")

    assert handler(a_kinesis_event(A_BOUNCE), Context()) == {"batchItemFailures": []}
    assert [suppressed(table) for table in (TABLE, "suppression-1", "suppression-2")] == [[], [ADA], [ADA]]


def test_without_the_parameter_the_table_of_the_settings_is_written(
    cloud: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A deployment has no parameter until `mailfold deploy` creates it."""
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
def test_an_invalid_parameter_fails_the_whole_batch(
    cloud: None, event: Any, failed: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """While the live table is unknown, no record is done, not even one without facts."""
    monkeypatch.setenv("MAILFOLD_TABLES_PARAMETER", PARAMETER)
    create_client("ssm").put_parameter(Name=PARAMETER, Value="suppression-1", Type="String")

    assert handler(event, Context()) == {"batchItemFailures": [{"itemIdentifier": failed_id} for failed_id in failed]}
    assert suppressed() == []
    assert metrics_in(capsys.readouterr().out)["Unfinished"] == [1.0]
