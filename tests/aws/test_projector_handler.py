"""The projector's handler: what it finds in its environment, what it logs and counts."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from pipeline import projector
from pipeline.aws import projector_lambda as module
from pipeline.aws.clients import client
from pipeline.aws.projector_lambda import handler
from pipeline.aws.store_dynamodb import DynamoSuppressionStore, table_definition
from pipeline.errors import Misuse
from pipeline.gathering import Tally
from tests.aws.lambda_events import Context, a_kinesis_event, sequence_number
from tests.builders import ADA, a_bounce, a_delivery, in_eventbridge

POISON = b"no JSON at all"
A_BOUNCE = in_eventbridge(a_bounce())

TABLE, BUCKET = "suppression", "mail-log"


@pytest.fixture
def cloud(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Set up what the handler finds in its environment."""
    module._projector.cache_clear()
    with mock_aws():
        monkeypatch.setenv("AWS_DEFAULT_REGION", "us-east-1")
        monkeypatch.setenv("MAILFOLD_TABLE", TABLE)
        monkeypatch.setenv("MAILFOLD_BUCKET", BUCKET)
        client("dynamodb").create_table(**table_definition(TABLE))
        client("s3").create_bucket(Bucket=BUCKET)
        yield
    module._projector.cache_clear()


def test_the_handler_stores_sets_aside_and_counts(cloud: None, capsys: pytest.CaptureFixture[str]) -> None:
    event = a_kinesis_event(A_BOUNCE, a_delivery(), POISON, A_BOUNCE)

    assert handler(event, Context()) == {"batchItemFailures": []}

    ((key, item),) = DynamoSuppressionStore(client("dynamodb"), table=TABLE).scan()
    assert (key.address, item.verdict.suppressed) == (ADA, True)
    assert client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
    counts = json.loads(capsys.readouterr().out.splitlines()[-1])
    names = ("BounceEvents", "DeliveryEvents", "Quarantined", "Facts", "Written", "Unchanged", "Faults", "Unfinished")
    assert [sum(counts[name]) for name in names] == [2, 1, 1, 2, 1, 0, 0, 0]
    assert counts["service"] == "projector"


def test_the_handler_reports_an_outage_logs_and_counts_it(
    cloud: None, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    client("dynamodb").delete_table(TableName=TABLE)

    assert handler(a_kinesis_event(a_delivery(), A_BOUNCE), Context()) == {
        "batchItemFailures": [{"itemIdentifier": sequence_number(1)}]
    }
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["Unfinished"] == [1.0]
    (told,) = [str(vars(record)) for record in caplog.records if record.name == "projector"]
    assert "DynamoDB's BatchGetItem ended in ResourceNotFoundException" in told
    assert ADA not in told


def test_the_handler_takes_its_policy_from_the_environment(cloud: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILFOLD_POLICY", '{"version":5,"hard":false}')
    handler(a_kinesis_event(A_BOUNCE), Context())

    ((_, item),) = DynamoSuppressionStore(client("dynamodb"), table=TABLE).scan()
    assert (item.verdict.suppressed, item.policy_version) == (False, 5)


@pytest.mark.filterwarnings("ignore:No application metrics")
def test_a_handler_without_its_settings_says_what_is_missing(cloud: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("MAILFOLD_TABLE")
    with pytest.raises(Misuse, match="MAILFOLD_TABLE is not set"):
        handler(a_kinesis_event(A_BOUNCE), Context())


def test_clients_are_made_once_in_a_container(cloud: None) -> None:
    assert module._projector() is module._projector()


def test_the_handler_logs_an_error_of_ours_without_its_text(
    cloud: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: Any, **__: Any) -> Tally:
        raise ZeroDivisionError(ADA)

    monkeypatch.setattr(projector, "project", broken)

    assert handler(a_kinesis_event(A_BOUNCE), Context()) == {"batchItemFailures": []}
    assert client("s3").list_objects_v2(Bucket=BUCKET)["KeyCount"] == 1
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["Faults"] == [1.0]
    (told,) = [str(vars(record)) for record in caplog.records if record.name == "projector"]
    assert "ZeroDivisionError in test_projector_handler.py" in told
    assert ADA not in told
