"""Totality of `decode`: no bytes make it raise, and every outcome can be used."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.decode import decode
from pipeline.event import Event, Poison
from tests.support.builders import a_bounce, a_send
from tests.support.decode_oracle import check_envelopes, check_framing, check_outcomes, check_sibling
from tests.support.strategies import damaged_payloads, json_values, mutated_records, odd_json

FAR_AHEAD = "9999-12-31T23:59:59.999Z"


@given(st.binary())
def test_any_bytes_decode(payload: bytes) -> None:
    """Random bytes have at least one outcome, which can be used."""
    check_outcomes(payload)


@given(json_values)
def test_any_json_decodes(value: object) -> None:
    """Random JSON, with odd numbers and texts, has at least one outcome."""
    check_outcomes(odd_json(value))


@given(damaged_payloads())
def test_damaged_payloads_decode(payload: bytes) -> None:
    """Removed or inserted bytes never raise."""
    check_outcomes(payload)


@given(mutated_records())
def test_records_with_odd_values_decode(payload: bytes) -> None:
    """A value of any type in any place of a record never raises."""
    check_outcomes(payload)


@given(mutated_records())
def test_records_with_odd_values_decode_in_envelopes_alike(payload: bytes) -> None:
    """An envelope changes neither the event nor the type of another outcome."""
    check_envelopes(payload)


@given(damaged_payloads())
def test_a_damaged_payload_hides_no_record_beside_it(payload: bytes) -> None:
    """A record is decoded whatever follows it, and nothing between documents is lost."""
    check_sibling(payload)
    check_framing(payload)


@pytest.mark.parametrize(
    "opening", [b"[", b'{"a":', b'{"Records":[', b'{"Message":', b'{"Sns":', b'{"detail-type":1,"detail":']
)
@pytest.mark.parametrize("depth", [20, 300, 5_000, 1_000_000])
def test_nesting_of_any_depth_decodes(opening: bytes, depth: int) -> None:
    """Open and closed nesting up to a million levels never raises."""
    closing = b"".join({91: b"]", 123: b"}"}[c] for c in reversed(opening) if c in b"[{")
    check_outcomes(opening * depth)
    check_outcomes(opening * depth + b"1" + closing * depth)


@pytest.mark.parametrize(
    "before", [b"", b'{"eventType":"Novel","x":', b'{"eventType":"Bounce","bounce":{"timestamp":', b'{"Message":{"x":']
)
def test_nesting_near_the_recursion_limit_decodes(before: bytes) -> None:
    """No step may find too deep what an earlier one could read. A thread has an empty stack, so depths are exact."""
    nested = [before + b"[" * depth + b"]" * depth + b"}" * before.count(b"{") for depth in range(940, 1_001)]
    with ThreadPoolExecutor(1) as thread:
        assert all(thread.map(check_outcomes, nested))


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
        check_outcomes(record % (b"9" * digits))
        check_outcomes(record % (b"-" + b"9" * digits))
        check_outcomes(record % (b"1e" + b"9" * digits))


def test_an_event_at_the_end_of_time_is_usable() -> None:
    """The last date that Python knows does not overflow."""
    [event] = check_outcomes(a_bounce(timestamp=FAR_AHEAD, bounce={"timestamp": FAR_AHEAD}))
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
    check_outcomes(payload)


def test_half_a_surrogate_pair_does_not_lose_a_bounce() -> None:
    """A subject that is cut off in the middle of an emoji does not change the event."""
    payload = a_bounce(x="CUT").replace(b'"CUT"', b'"\\ud83d"')
    [event] = check_outcomes(payload)
    assert isinstance(event, Event)
    assert [event.id] == [other.id for other in decode(a_bounce()) if isinstance(other, Event)]
    assert event.raw == payload


def test_a_payload_in_too_many_envelopes_is_poison() -> None:
    """The poison contains the innermost record."""
    payload = a_send()
    for _ in range(40):
        payload = b'{"Message":' + payload + b"}"
    [poison] = check_outcomes(payload)
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
