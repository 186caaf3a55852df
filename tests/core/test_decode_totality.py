"""Totality of `decode`: no bytes make it raise, and every outcome can be used."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.batch import group_by_key
from pipeline.decode import decode
from pipeline.event import Event, Outcome, Poison
from pipeline.fact import facts
from pipeline.policy import DEFAULT_POLICY
from pipeline.projection import to_item
from pipeline.row import poison_row, to_row
from pipeline.timestamp import format_time
from tests.support.builders import a_bounce, a_send, in_kinesis, in_lambda_sqs, in_sns
from tests.support.strategies import damaged_payloads, json_values, mutated_records, odd_json

ARRIVED_AT = datetime(2026, 3, 1, tzinfo=UTC)
FAR_AHEAD = "9999-12-31T23:59:59.999Z"


def used(payload: bytes) -> list[Outcome]:
    """Decode, and use every outcome in every way that the pipeline does."""
    outcomes = decode(payload)
    assert outcomes
    for outcome in outcomes:
        if isinstance(outcome, Event):
            for key, standing in group_by_key(facts(outcome)).items():
                to_item(key, standing, DEFAULT_POLICY)
            assert to_row(outcome, arrived_at=ARRIVED_AT).raw.encode() == outcome.raw
            assert all(format_time(at) for at in (outcome.occurred_at, outcome.sent_at) if at)
        elif isinstance(outcome, Poison):
            assert poison_row(outcome, name="0" * 32, arrived_at=ARRIVED_AT).error_message == outcome.why
    return outcomes


@given(st.binary())
def test_any_bytes_decode(payload: bytes) -> None:
    """Random bytes have at least one outcome, which can be used."""
    used(payload)


@given(json_values)
def test_any_json_decodes(value: object) -> None:
    """Random JSON, with odd numbers and texts, has at least one outcome."""
    used(odd_json(value))


@given(damaged_payloads())
def test_damaged_payloads_decode(payload: bytes) -> None:
    """Removed or inserted bytes never raise."""
    used(payload)


@given(mutated_records())
def test_records_with_odd_values_decode(payload: bytes) -> None:
    """A value of any type in any place of a record never raises."""
    used(payload)


@given(mutated_records(), st.sampled_from([in_sns, in_lambda_sqs, in_kinesis]))
def test_records_with_odd_values_decode_in_envelopes_alike(payload: bytes, wrap: object) -> None:
    """An envelope does not change the type of the outcome."""
    assert callable(wrap)
    assert [type(outcome) for outcome in decode(payload)] == [type(outcome) for outcome in used(wrap(payload))]


@pytest.mark.parametrize(
    "opening", [b"[", b'{"a":', b'{"Records":[', b'{"Message":', b'{"Sns":', b'{"detail-type":1,"detail":']
)
@pytest.mark.parametrize("depth", [20, 300, 5_000, 1_000_000])
def test_nesting_of_any_depth_decodes(opening: bytes, depth: int) -> None:
    """Open and closed nesting up to a million levels never raises."""
    used(opening * depth)
    used(opening * depth + b"1" + b"".join({91: b"]", 123: b"}"}[c] for c in reversed(opening) if c in b"[{") * depth)


@pytest.mark.parametrize(
    "before", [b"", b'{"eventType":"Novel","x":', b'{"eventType":"Bounce","bounce":{"timestamp":', b'{"Message":{"x":']
)
def test_nesting_near_the_recursion_limit_decodes(before: bytes) -> None:
    """No step may find too deep what an earlier one could read. A thread has an empty stack, so depths are exact."""
    nested = [before + b"[" * depth + b"]" * depth + b"}" * before.count(b"{") for depth in range(940, 1_001)]
    with ThreadPoolExecutor(1) as thread:
        assert all(thread.map(used, nested))


@pytest.mark.parametrize(
    "record",
    [
        b'{"eventType":"Novel","x":%s}',
        b'{"eventType":"Send","x":%s}',
        b'{"eventType":"Bounce","bounce":{"timestamp":%s}}',
    ],
)
def test_numbers_of_any_size_decode(record: bytes) -> None:
    """Integers and exponents of up to 5,000 digits never raise."""
    for digits in (18, 19, 20, 400, 4_300, 5_000):
        used(record % (b"9" * digits))
        used(record % (b"-" + b"9" * digits))
        used(record % (b"1e" + b"9" * digits))


def test_an_event_at_the_end_of_time_is_usable() -> None:
    """The last date that Python knows does not overflow."""
    [event] = used(a_bounce(timestamp=FAR_AHEAD, bounce={"timestamp": FAR_AHEAD}))
    assert isinstance(event, Event)


@pytest.mark.parametrize(
    "payload",
    [
        '{"eventType":"Send","x":1}'.encode("utf-16"),
        b'\xef\xbb\xbf{"eventType":"Send"}',
        b'{"eventType":"Novel","x":"\\ud83d"}',
        b'{"eventType":"Novel","\\ud83d":"\\ude00"}',
        b'{"eventType":"\\ud83d"}',
        b'{"Message":"\\ud83d"}',
        b'{"data":"\\ud83d"}',
        b'{"eventType":"Send","x":NaN}',
        b'{"eventType":"Send","x":"\\ud83d","y":NaN}',
    ],
)
def test_odd_text_decodes(payload: bytes) -> None:
    """Other encodings, byte order marks and half surrogate pairs never raise."""
    used(payload)


def test_half_a_surrogate_pair_does_not_lose_a_bounce() -> None:
    """A subject that is cut off in the middle of an emoji does not change the event."""
    payload = a_bounce(x="CUT").replace(b'"CUT"', b'"\\ud83d"')
    [event] = used(payload)
    assert isinstance(event, Event)
    assert [event.id] == [other.id for other in decode(a_bounce()) if isinstance(other, Event)]
    assert event.raw == payload


def test_a_payload_in_too_many_envelopes_is_poison() -> None:
    """The poison contains the innermost record."""
    payload = a_send()
    for _ in range(40):
        payload = b'{"Message":' + payload + b"}"
    [poison] = used(payload)
    assert isinstance(poison, Poison)
    assert a_send() in poison.raw


@given(mutated_records())
@example(b"Successfully validated SNS topic for Amazon SES event publishing.")
@example(b"[]")
def test_every_outcome_describes_itself(payload: bytes) -> None:
    """It keeps its bytes, and has a kind or a description."""
    for outcome in decode(payload):
        assert outcome.raw
        assert outcome.kind if isinstance(outcome, Event) else outcome.why
