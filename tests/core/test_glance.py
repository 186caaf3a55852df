"""A glance says the same as decoding, or nothing."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.decode import decode
from pipeline.event import FEEDBACK, Event, EventKind
from pipeline.fact import facts
from pipeline.glance import glance, glances
from tests.support.builders import a_bounce, a_decision, a_send, as_notification, one_of_each
from tests.support.strategies import damaged_payloads, mutated_records, records

NO_FACTS = {kind: record for kind, record in one_of_each().items() if EventKind(kind) not in FEEDBACK}


def agrees(payload: bytes) -> None:
    """What a glance passes is exactly one event of that kind, without facts."""
    kind = glance(payload)
    if kind is not None:
        [event] = decode(payload)
        assert isinstance(event, Event)
        assert (kind, []) == (event.kind, list(facts(event)))


@pytest.mark.parametrize("kind", NO_FACTS)
def test_a_bare_record_without_facts_is_known_at_a_glance(kind: str) -> None:
    assert kind == glance(NO_FACTS[kind]) == glance(NO_FACTS[kind] + b"\n")


@pytest.mark.parametrize(
    "record", [a_bounce(), as_notification(a_bounce()), a_decision(), b"", b"[]", b'{"eventType":5}']
)
def test_whatever_may_hold_facts_must_be_decoded(record: bytes) -> None:
    assert glance(record) is None


@given(records)
def test_a_glance_agrees_with_decoding(payload: bytes) -> None:
    agrees(payload)


@given(mutated_records())
def test_a_glance_agrees_with_decoding_where_values_are_odd(payload: bytes) -> None:
    agrees(payload)


@given(damaged_payloads())
@example(b'{"eventType":"Send","eventType":"Bounce","bounce":{"bounceType":"Permanent","bounceSubType":"General"}}')
@example(b'{"eventType":"Bounce","bounce":{},"eventType":"Send"}')
@example(b'{"eventType":"Delivery","delivery":{},"delivery":null}')
@example(b'{"eventType":"Delivery","delivery":null,"delivery":{}}')
@example(b'{"eventType":"Send","notificationType":"Bounce","bounce":{}}')
@example(b'{"eventType":"Send","mail":5,"x":1e999}')
@example(b'{"eventType":"Send","x":"\xff"}')
@example(b'{"eventType":"Send"}{"eventType":"Send"}')
def test_a_glance_agrees_with_decoding_where_bytes_are_damaged(payload: bytes) -> None:
    agrees(payload)


@pytest.mark.parametrize(
    "payload",
    [
        a_send() + a_bounce() + a_send(),
        a_send().replace(b'"send":', b'"eventType":"Bounce","bounce":{},"send":'),
        a_send().replace(b'"send":', b'"x":{"send":{}}}{"eventType":"Send","mail":{},"send":'),
    ],
)
def test_what_stands_between_the_ends_of_two_sends_is_decoded(payload: bytes) -> None:
    """Records put together without a newline are poison, which is kept; of a key given twice the last one counts."""
    assert glance(payload) is None


@given(st.lists(damaged_payloads() | records | st.sampled_from([*NO_FACTS.values(), "é".encode()])))
def test_a_batch_is_glanced_at_as_its_payloads_are(payloads: list[bytes]) -> None:
    assert [glance(payload) for payload in payloads] == glances(payloads)


def test_a_batch_of_plain_records_is_known_at_a_glance() -> None:
    assert [*NO_FACTS, None] == glances([*NO_FACTS.values(), a_bounce()])
