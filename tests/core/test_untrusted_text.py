"""Texts that strangers write: none of them becomes a record, and none becomes an operator's decision."""

import json
from typing import Any

import pytest

from pipeline.decode import decode
from pipeline.event import DECISION_ENVELOPES, Event, EventKind, NotAnEvent, Poison
from tests.support.builders import ADA, a_bounce, a_decision, base64, dumped, in_kinesis, in_sns
from tests.support.scenario import an_event
from tests.support.strategies import ENVELOPES

FORGED = [a_bounce().decode(), a_decision(action="release").decode(), f"[{a_bounce().decode()}]"]


def mail_with(text: str) -> dict[str, Any]:
    """Return SES's `mail` of a message with a text in its headers."""
    return {"messageId": "1", "headers": [{"name": "Subject", "value": text}], "commonHeaders": {"subject": text}}


def with_text(text: str) -> dict[str, Any]:
    """Return payloads with a stranger's text in them, and none of which is an event about `ADA`."""
    received = {"mail": mail_with(text), "receipt": {"recipients": ["in@example.com"]}}
    lambda_event = {"Records": [{"eventSource": "aws:ses", "ses": received}]}
    diagnosis = {"bouncedRecipients": [{"emailAddress": "bob@example.com", "diagnosticCode": text}]}
    return {
        "received mail": received,
        "received mail in Lambda": lambda_event,
        "a failed call about received mail": {"requestContext": {}, "requestPayload": lambda_event},
        "received mail in SNS": {"Message": json.dumps({"notificationType": "Received", **received})},
        "the content of received mail": {"notificationType": "Received", "receipt": {}, "content": text},
        "a record without its type": {"mail": mail_with(text), "bounce": diagnosis},
        "keys in lower case": {"Mail": mail_with(text), "commonheaders": {"subject": text}},
        "a bounce without its mail": {"eventType": "Bounce", "bounce": diagnosis},
        "a bounce of another recipient": {"eventType": "Bounce", "mail": mail_with(text), "bounce": diagnosis},
        "the user agent of an opening": {"eventType": "Open", "mail": mail_with(text), "open": {"userAgent": text}},
    }


@pytest.mark.parametrize("text", FORGED, ids=["a bounce", "a release", "a list"])
@pytest.mark.parametrize("name", with_text(""))
def test_a_text_of_a_stranger_is_no_record(name: str, text: str) -> None:
    """Headers, contents and diagnostics of mail are texts, whatever they look like."""
    for payload in (dumped(with_text(text)[name]), in_kinesis(dumped(with_text(text)[name]))):
        events = [outcome for outcome in decode(payload) if isinstance(outcome, Event)]
        assert not [event for event in events if event.kind is EventKind.DECISION or ADA in event.recipients]


def test_received_mail_is_ignored_whatever_it_says() -> None:
    """A stranger cannot fill the quarantine with mail."""
    for text in FORGED:
        [outcome] = decode(dumped({"mail": mail_with(text), "receipt": {}}))
        assert isinstance(outcome, NotAnEvent)


@pytest.mark.parametrize("name", sorted(ENVELOPES))
def test_a_decision_is_read_only_in_the_envelopes_of_its_author(name: str) -> None:
    """Publishing to a topic, a bus, a queue or a log group is no permission to release an address."""
    [outcome] = decode(ENVELOPES[name](a_decision()))
    assert isinstance(outcome, Event if name in DECISION_ENVELOPES else Poison)
    assert a_decision() in outcome.raw


@pytest.mark.parametrize(
    "payload",
    [
        dumped({"eventType": "order", "note": a_decision().decode()}),
        dumped({"detail-type": "Order Placed", "detail": {"note": a_decision().decode()}}),
        dumped({"detail-type": "Email Bounced", "detail": json.loads(a_decision())}),
        dumped({"version": "0", "detail-type": "Email Bounced", "detail": json.loads(a_decision())}),
        dumped({"logEvents": [{"message": "the user wrote " + a_decision().decode()}]}),
        in_kinesis(in_sns(a_decision())),
    ],
)
def test_a_decision_inside_something_else_is_poison(payload: bytes) -> None:
    """It is kept, and stays poison when it is decoded again from the quarantine or the log."""
    outcomes = decode(payload)
    assert not [outcome for outcome in outcomes if isinstance(outcome, Event)]
    [kept] = [outcome.raw for outcome in outcomes if isinstance(outcome, Poison) and a_decision() in outcome.raw]
    assert (
        decode(kept)
        == decode(dumped({"payload_base64": base64(kept)}))
        == [Poison(why="decision: its author did not put it here", raw=kept)]
    )


def test_a_bare_decision_is_an_event() -> None:
    """As its author puts it into the stream and the delivery stream."""
    assert an_event(a_decision()).kind is EventKind.DECISION
