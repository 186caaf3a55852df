"""Tests of the example payloads in schemas/wire/examples: each is what its name and expected.json state."""

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.batch import group_by_key
from pipeline.decode import decode
from pipeline.event import Envelope, Event, EventKind, NotAnEvent, Outcome, Poison
from pipeline.fact import BOUNCES, facts
from pipeline.policy import DEFAULT_POLICY, verdict
from pipeline.row import Row, row_facts, to_row
from pipeline.timestamp import format_time

EXAMPLES = Path(__file__).parents[2] / "schemas" / "wire" / "examples"
EXPECTED: dict[str, list[dict[str, Any]]] = json.loads((EXAMPLES / "expected.json").read_bytes())
NAME = re.compile(r"v1\.[a-z0-9-]+\.(pass|fail|ignore)\.json")
ARRIVED_AT = datetime(2026, 3, 1, 1, tzinfo=UTC)

passing = [name for name in EXPECTED if name.endswith(".pass.json")]
failing = [name for name in EXPECTED if name.endswith(".fail.json")]
ignored = [name for name in EXPECTED if name.endswith(".ignore.json")]


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_decodes_as_expected(name: str) -> None:
    """The outcomes are those of expected.json, in order."""
    assert EXPECTED[name] == [expectation(outcome) for outcome in outcomes(name)]


@pytest.mark.parametrize("name", passing)
def test_a_passing_example_contains_an_event(name: str) -> None:
    """A file named `pass` decodes to at least one event."""
    assert any(isinstance(outcome, Event) for outcome in outcomes(name))


@pytest.mark.parametrize("name", failing)
def test_a_failing_example_is_poison(name: str) -> None:
    """A file named `fail` is one poison, which keeps its bytes."""
    (poison,) = outcomes(name)
    assert isinstance(poison, Poison)
    assert poison.raw


@pytest.mark.parametrize("name", ignored)
def test_an_ignored_example_is_no_event(name: str) -> None:
    """A file named `ignore` is one record that is not an event, with a description."""
    (outcome,) = outcomes(name)
    assert isinstance(outcome, NotAnEvent)
    assert outcome.why


@pytest.mark.parametrize("name", passing)
def test_rows_of_an_example_survive_json(name: str) -> None:
    """A decoded row is equal and yields the facts of its event."""
    for event in events(name):
        row = to_row(event, arrived_at=ARRIVED_AT)
        assert row == msgspec.json.decode(msgspec.json.encode(row), type=Row)
        assert list(facts(event)) == list(row_facts(row))


@pytest.mark.parametrize("name", passing)
def test_raw_text_of_an_example_is_the_same_event(name: str) -> None:
    """The record decodes to the same id, recipients and time without its envelopes."""
    for event in events(name):
        (again,) = decode(event.raw)
        assert isinstance(again, Event)
        assert (event.id, event.recipients, event.occurred_at) == (again.id, again.recipients, again.occurred_at)


def test_every_file_is_expected_and_every_expectation_has_a_file() -> None:
    """The folder and expected.json name the same examples."""
    assert set(EXPECTED) == {path.name for path in EXAMPLES.iterdir()} - {"expected.json"}


def test_every_name_tells_version_case_and_outcome() -> None:
    """A file name has four parts, of which the third is the outcome."""
    assert [name for name in EXPECTED if len(name.split(".")) != len(("version", "case", "outcome", "json"))] == []
    assert len(EXPECTED) == len(passing) + len(failing) + len(ignored)


def test_the_examples_show_every_kind() -> None:
    """No kind of event is without an example."""
    assert set(EventKind) == {event.kind for name in passing for event in events(name)}


def test_the_examples_show_every_envelope() -> None:
    """No envelope is without an example."""
    assert set(Envelope) == {envelope for name in passing for event in events(name) for envelope in event.envelopes}


def test_the_examples_show_every_bounce_that_is_a_fact() -> None:
    """Each pair of type and sub-type that states a fact has an example."""
    shown = {
        ((row.bounce_type or "").lower(), (row.bounce_sub_type or "").lower())
        for name in passing
        for row in (to_row(event, arrived_at=ARRIVED_AT) for event in events(name))
    }
    assert set(BOUNCES) <= shown


def test_a_bounce_is_one_event_in_every_envelope() -> None:
    """Vocabulary, envelope and key order do not change the id."""
    bare, *wrapped = (
        "v1.bounce-permanent-general.pass.json",
        "v1.notification-bounce.pass.json",
        "v1.pinpoint-hard-bounce.pass.json",
        "v1.keys-in-lower-case.pass.json",
        "v1.http-api-body-base64.pass.json",
        "v1.cloudwatch-logs-lambda.pass.json",
        "v1.kinesis-gzip.pass.json",
        "v1.record-below-a-key.pass.json",
        "v1.sns-envelope.pass.json",
        "v1.sns-envelope-of-notification.pass.json",
        "v1.sqs-of-sns.pass.json",
        "v1.lambda-sns.pass.json",
        "v1.lambda-sqs-of-raw-delivery.pass.json",
        "v1.eventbridge.pass.json",
        "v1.lambda-kinesis.pass.json",
        "v1.kinesis-get-records.pass.json",
        "v1.firehose-error-row.pass.json",
        "v1.odd-keys-in-another-order.pass.json",
    )
    (event,) = events(bare)
    assert {event.id} == {other.id for name in wrapped for other in events(name)}


def test_the_id_of_a_decision_is_the_id_of_its_event() -> None:
    """Dashes in the client's id do not matter."""
    (decision,) = events("v1.decision-suppress.pass.json")
    (dashed,) = events("v1.decision-id-with-dashes.pass.json")
    assert "3b9e6d0a4c1f4e7b8a52d06f1c7e9b34" == decision.id == dashed.id


def test_the_decision_in_the_readme_decodes() -> None:
    """The JSON in schemas/wire/README.md is a valid decision."""
    readme = (EXAMPLES.parent / "README.md").read_text()
    shown = readme.partition("```json\n")[2].partition("```")[0]
    (event,) = decode(shown.encode())
    assert isinstance(event, Event)
    assert (event.kind, event.recipients) == (EventKind.DECISION, ("ann@example.com",))


def outcomes(name: str) -> list[Outcome]:
    return decode((EXAMPLES / name).read_bytes())


def events(name: str) -> list[Event]:
    return [outcome for outcome in outcomes(name) if isinstance(outcome, Event)]


def expectation(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome in the form of expected.json."""
    match outcome:
        case Poison():
            return {"error": outcome.why}
        case NotAnEvent():
            return {"ignored": outcome.why}
        case Event():
            return {
                "kind": outcome.kind,
                "occurred_at": outcome.occurred_at and format_time(outcome.occurred_at),
                "sent_at": outcome.sent_at and format_time(outcome.sent_at),
                "message_id": outcome.message_id,
                "recipients": list(outcome.recipients),
                "envelopes": list(outcome.envelopes),
                "facts": [f"{fact.kind} {fact.key.address} {fact.key.scope}" for fact in facts(outcome)],
                "suppresses": suppresses(outcome),
            }


def suppresses(event: Event) -> bool:
    """Return True if this event alone suppresses one of its recipients under the default policy."""
    changes = group_by_key(facts(event))
    return any(verdict(standing, DEFAULT_POLICY, address=key.address).suppressed for key, standing in changes.items())
