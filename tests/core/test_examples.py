"""Every example payload under schemas/wire/ is what its name and examples/expected.json say."""

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
def test_an_example_holds_what_is_expected_of_it_in_order(name: str) -> None:
    assert EXPECTED[name] == [told(outcome) for outcome in outcomes(name)]


@pytest.mark.parametrize("name", passing)
def test_an_example_that_passes_holds_an_event(name: str) -> None:
    assert any(isinstance(outcome, Event) for outcome in outcomes(name))


@pytest.mark.parametrize("name", failing)
def test_an_example_that_fails_is_poison_and_keeps_its_bytes(name: str) -> None:
    (poison,) = outcomes(name)
    assert isinstance(poison, Poison)
    assert poison.raw


@pytest.mark.parametrize("name", ignored)
def test_an_example_that_is_ignored_is_a_named_non_event(name: str) -> None:
    (outcome,) = outcomes(name)
    assert isinstance(outcome, NotAnEvent)
    assert outcome.why


@pytest.mark.parametrize("name", passing)
def test_an_example_s_rows_survive_json_and_give_its_facts_again(name: str) -> None:
    for event in events(name):
        kept = to_row(event, arrived_at=ARRIVED_AT)
        assert kept == msgspec.json.decode(msgspec.json.encode(kept), type=Row)
        assert list(facts(event)) == list(row_facts(kept))


@pytest.mark.parametrize("name", passing)
def test_an_example_s_raw_text_is_the_same_event_without_its_carriers(name: str) -> None:
    for event in events(name):
        (again,) = decode(event.raw)
        assert isinstance(again, Event)
        assert (event.id, event.recipients, event.occurred_at) == (again.id, again.recipients, again.occurred_at)


def test_every_file_is_expected_and_every_expectation_has_a_file() -> None:
    assert set(EXPECTED) == {path.name for path in EXAMPLES.iterdir()} - {"expected.json"}


def test_every_name_tells_version_case_and_outcome() -> None:
    assert [name for name in EXPECTED if len(name.split(".")) != len(("version", "case", "outcome", "json"))] == []
    assert len(EXPECTED) == len(passing) + len(failing) + len(ignored)


def test_the_examples_show_every_kind() -> None:
    assert set(EventKind) == {event.kind for name in passing for event in events(name)}


def test_the_examples_show_every_carrier() -> None:
    assert set(Envelope) == {envelope for name in passing for event in events(name) for envelope in event.envelopes}


def test_the_examples_show_every_bounce_that_is_a_fact() -> None:
    shown = {
        (str(row_.bounce_type).lower(), str(row_.bounce_sub_type).lower())
        for name in passing
        for row_ in (to_row(event, arrived_at=ARRIVED_AT) for event in events(name))
    }
    assert set(BOUNCES) <= shown


def test_a_bounce_is_the_same_event_in_both_vocabularies_and_every_carrier() -> None:
    bare, *carried = (
        "v1.bounce-permanent-general.pass.json",
        "v1.notification-bounce.pass.json",
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
    assert {event.id} == {other.id for name in carried for other in events(name)}


def test_a_decision_s_id_is_its_event_s_id() -> None:
    (decision,) = events("v1.decision-suppress.pass.json")
    (dashed,) = events("v1.decision-id-with-dashes.pass.json")
    assert "3b9e6d0a4c1f4e7b8a52d06f1c7e9b34" == decision.id == dashed.id


def test_the_decision_that_the_readme_shows_is_one() -> None:
    readme = (EXAMPLES.parent / "README.md").read_text()
    shown = readme.partition("```json\n")[2].partition("```")[0]
    (event,) = decode(shown.encode())
    assert isinstance(event, Event)
    assert (event.kind, event.recipients) == (EventKind.DECISION, ("ann@example.com",))


def outcomes(name: str) -> list[Outcome]:
    return decode((EXAMPLES / name).read_bytes())


def events(name: str) -> list[Event]:
    return [outcome for outcome in outcomes(name) if isinstance(outcome, Event)]


def told(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as expected.json tells it."""
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
                "carrier": list(outcome.envelopes),
                "suppresses": suppresses(outcome),
            }


def suppresses(event: Event) -> bool:
    """Tell whether this event alone suppresses one of its recipients under the default policy."""
    changes = group_by_key(facts(event))
    return any(verdict(known, DEFAULT_POLICY, address=key.address).suppressed for key, known in changes.items())
