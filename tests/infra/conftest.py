"""What the functions publish, for the tests of alarms and dashboard."""

import json

import pytest

from pipeline.aws import projector_lambda, transform
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.projector import Projector
from tests.aws.lambda_events import Context, a_firehose_event, a_kinesis_event
from tests.builders import a_bounce, a_decision, a_record, one_of_each

POISON = b"no JSON at all"

Metric = tuple[str, str, str]
"""Namespace, name, and the function that publishes it."""


@pytest.fixture
def published(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> set[Metric]:
    """Return every metric that the functions publish, in the one dimension `service`."""
    projector = Projector(store=MemoryStore(), quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY)
    monkeypatch.setattr(projector_lambda, "_projector", lambda: projector)
    payloads = [*one_of_each().values(), a_decision(), a_record("Levitation", {}), POISON]
    transform.handler(a_firehose_event(*payloads), Context())
    projector_lambda.handler(a_kinesis_event(a_bounce(), *payloads), Context())
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if '"_aws"' in line]
    return {metric for line in lines for metric in _metrics(line)}


def _metrics(line: dict[str, object]) -> set[Metric]:
    directives = line["_aws"]["CloudWatchMetrics"]  # type: ignore[index]
    assert all(directive["Dimensions"] == [["service"]] for directive in directives)
    return {
        (directive["Namespace"], metric["Name"], str(line["service"]))
        for directive in directives
        for metric in directive["Metrics"]
    }
