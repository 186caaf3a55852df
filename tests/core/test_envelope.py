"""Tests of `pipeline.envelope`: records are found in any envelopes, and a bad one hides no other."""

import json
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.decode import decode
from pipeline.event import Envelope, Event, NotAnEvent, Poison
from tests.support.builders import (
    ADA,
    a_bounce,
    a_record,
    a_send,
    as_notification,
    base64,
    dumped,
    in_eventbridge,
    in_firehose,
    in_kinesis,
    in_lambda_sns,
    in_lambda_sqs,
    in_sns,
    in_sqs,
)
from tests.support.scenario import an_event
from tests.support.strategies import ENVELOPES, envelopes

TEST_LINE = b"Successfully validated SNS topic for Amazon SES event publishing."
BATCHES: dict[str, Callable[..., bytes]] = {
    "sqs": in_sqs,
    "lambda_sns": in_lambda_sns,
    "lambda_sqs": in_lambda_sqs,
    "kinesis": in_kinesis,
    "firehose": in_firehose,
}


@given(st.lists(envelopes, max_size=3))
def test_envelopes_are_detected_in_any_nesting(layers: list[str]) -> None:
    """They are listed outermost first, and the record inside is unchanged."""
    payload = a_bounce()
    for layer in reversed(layers):
        payload = ENVELOPES[layer](payload)
    event = an_event(payload)
    assert tuple(layers) == event.envelopes
    assert a_bounce() == event.raw


def test_a_bare_record_has_no_envelope() -> None:
    """A line break after a record is not an envelope."""
    assert an_event(a_bounce() + b"\n").envelopes == ()


@pytest.mark.parametrize(
    "message",
    [a_bounce().decode(), a_bounce().decode() + "\n", json.loads(a_bounce()), f"\ufeff {a_bounce().decode()}"],
    ids=["text", "with a newline", "object", "with a byte order mark"],
)
def test_an_sns_message_may_have_every_form(message: object) -> None:
    """The message may be text, an object, or text after a byte order mark."""
    event = an_event(dumped({"Type": "Notification", "Message": message}))
    assert ((Envelope.SNS,), a_bounce()) == (event.envelopes, event.raw)


def test_the_message_key_alone_identifies_sns() -> None:
    """Fixtures often keep nothing else of the envelope."""
    assert an_event(dumped({"Message": a_bounce().decode()})).envelopes == (Envelope.SNS,)


def test_a_confirmation_type_does_not_hide_an_event() -> None:
    """A message that is a record is decoded, whatever `Type` claims."""
    assert an_event(in_sns(a_bounce(), Type="SubscriptionConfirmation")).kind == "bounce"


@pytest.mark.parametrize("wrap", [in_lambda_sqs, in_sqs], ids=["lambda_sqs", "sqs"])
def test_raw_delivery_has_no_sns_envelope(wrap: Callable[..., bytes]) -> None:
    """A queue of a raw subscription contains the record itself."""
    assert an_event(wrap(in_sns(a_bounce()))).envelopes.count(Envelope.SNS) == 1
    assert Envelope.SNS not in an_event(wrap(a_bounce())).envelopes


@pytest.mark.parametrize(
    ("payload", "envelope"),
    [
        (dumped({"Body": a_bounce().decode()}), Envelope.SQS),
        (dumped({"body": json.loads(a_bounce())}), Envelope.LAMBDA_SQS),
        (dumped({"Sns": {"Message": a_bounce().decode()}}), Envelope.LAMBDA_SNS),
        (dumped({"kinesis": {"data": base64(a_bounce())}}), Envelope.KINESIS),
        (dumped({"Data": base64(a_bounce())}), Envelope.KINESIS),
        (dumped({"Records": [{"Data": base64(a_bounce()), "SequenceNumber": "1"}]}), Envelope.KINESIS),
        (dumped({"kinesis": {"data": a_bounce().decode()}}), Envelope.KINESIS),
        (dumped({"kinesis": {"data": json.loads(a_bounce())}}), Envelope.KINESIS),
        (dumped({"recordId": "1", "data": base64(a_bounce() + b"\n")}), Envelope.FIREHOSE),
        (dumped({"rawData": base64(a_bounce()), "errorCode": "x"}), Envelope.FIREHOSE_ERROR),
        (dumped({"detail-type": "Email Bounced", "detail": a_bounce().decode()}), Envelope.EVENTBRIDGE),
        (in_eventbridge(a_bounce(), detail_type="Scheduled Event"), Envelope.EVENTBRIDGE),
    ],
)  # fmt: skip
def test_an_envelope_is_identified_by_its_keys(payload: bytes, envelope: Envelope) -> None:
    """Single records of each transport are detected, also outside their batch."""
    event = an_event(payload)
    assert ((envelope,), (ADA,)) == (event.envelopes, event.recipients)


def test_a_dead_letter_of_a_mapping_contains_its_records() -> None:
    """Lambda writes the whole invocation as text to the failure destination in S3."""
    dead_letter = {
        "requestContext": {},
        "KinesisBatchInfo": {"shardId": "1"},
        "payload": in_kinesis(a_bounce()).decode(),
    }
    assert an_event(dumped(dead_letter)).envelopes == (Envelope.KINESIS,)


def test_a_dead_letter_of_an_asynchronous_call_contains_its_records() -> None:
    """Lambda writes the event of the call as an object to the failure destination."""
    dead_letter = {"version": "1.0", "requestContext": {}, "requestPayload": json.loads(in_kinesis(a_bounce()))}
    assert an_event(dumped(dead_letter)).envelopes == (Envelope.KINESIS,)


@pytest.mark.parametrize("inside", [a_bounce(), in_sns(a_bounce()), a_send() + b"\n" + a_bounce()])
def test_a_quarantine_object_decodes_as_its_payload(inside: bytes) -> None:
    """The quarantine is not an envelope: it adds nothing to those of the payload."""
    assert decode(inside) == decode(dumped({"payload_base64": base64(inside), "reason": "…", "position": "1"}))


def test_a_quarantine_object_without_base64_is_poison() -> None:
    """A damaged quarantine object is poison again."""
    [outcome] = decode(dumped({"payload_base64": "not base64", "reason": "…"}))
    assert isinstance(outcome, Poison)


def test_a_list_and_a_json_string_are_not_envelopes() -> None:
    """They are unwrapped and add no name."""
    assert an_event(b"[" + a_bounce() + b"]").envelopes == ()
    assert an_event(dumped(a_bounce().decode())).envelopes == ()


def test_a_record_is_not_searched_for_envelopes() -> None:
    """Envelope keys inside a record do not change it."""
    record = a_record("Bounce", {"bounce": {"bouncedRecipients": [ADA]}, "Message": a_send().decode(), "Records": []})
    assert (an_event(record).kind, an_event(record).envelopes) == ("bounce", ())


@pytest.mark.parametrize("wrap", BATCHES.values(), ids=BATCHES)
def test_a_bad_record_loses_none_of_its_siblings(wrap: Callable[..., bytes]) -> None:
    """Every record of a batch has its own outcome, in order."""
    outcomes = decode(wrap(a_send(messageId="1"), b"{oops", b"", a_send(messageId="2"), b"[]", a_bounce()))
    assert [Event, Poison, Poison, Event, NotAnEvent, Event] == [type(outcome) for outcome in outcomes]
    assert outcomes[1].raw == b"{oops"


@given(
    st.lists(
        st.sampled_from([a_bounce(), b"{oops", b"\xff\xfe", b'{"eventType":"Bounce"}', b"[]", TEST_LINE]), min_size=1
    )
)
def test_every_line_has_its_own_outcome_in_order(lines: list[bytes]) -> None:
    """A line of NDJSON decodes as it does alone."""
    text = b"\n".join([a_send(), b"", *lines, b" \r"])
    alone = [outcome for line in lines for outcome in decode(line)]
    assert alone == decode(text)[1:]


@pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"\n\n", b" \n\t"])
def test_lines_may_end_in_any_way_and_be_blank(separator: bytes) -> None:
    """Line ends of any kind and blank lines separate records."""
    outcomes = decode(separator.join([a_send(), a_bounce(), b""]))
    assert [event.kind for event in outcomes if isinstance(event, Event)] == ["send", "bounce"]


def test_lines_may_contain_different_envelopes() -> None:
    """The envelopes are detected for each line."""
    outcomes = decode(b"\n".join([in_sns(a_bounce()), in_kinesis(a_bounce(), a_send()), as_notification(a_bounce())]))
    assert [event.envelopes for event in outcomes if isinstance(event, Event)] == [
        (Envelope.SNS,),
        (Envelope.KINESIS,),
        (Envelope.KINESIS,),
        (),
    ]


def test_lines_within_an_envelope_are_decoded() -> None:
    """The data of one Kinesis record may be NDJSON."""
    outcomes = decode(in_kinesis(a_bounce() + b"\n" + a_send()))
    assert [event.kind for event in outcomes if isinstance(event, Event)] == ["bounce", "send"]


def test_one_line_with_a_known_key_proves_ndjson() -> None:
    """Then every broken line is poison by itself."""
    outcomes = decode(b"{a\n{b\n{c\n" + a_bounce())
    assert [Poison, Poison, Poison, Event] == [type(outcome) for outcome in outcomes]


def test_a_broken_document_of_several_lines_is_one_poison() -> None:
    """It is not NDJSON, although one of its lines, a header, is an object."""
    document = json.dumps(json.loads(a_bounce(headers=["HEADER"])), indent=2).encode()
    broken = document.replace(b'"HEADER"', b'{"name":"Subject","value":"Hello"}').rstrip(b"} \n")
    [outcome] = decode(broken)
    assert (Poison, broken) == (type(outcome), outcome.raw)


def test_the_test_line_hides_no_line_after_it() -> None:
    """A topic that delivers raw into a stream writes the test line first, then events."""
    outcomes = decode(TEST_LINE + b"\n" + a_bounce() + b"\n" + a_send())
    assert [NotAnEvent, Event, Event] == [type(outcome) for outcome in outcomes]


@pytest.mark.parametrize(
    "line",
    ['{ "eventType": "Send", "mail": {}}', '{\t"eventType":"Send","mail":{}}', '[{"eventType":"Send","mail":{}}]'],
)
def test_lines_may_contain_spaces_after_their_brace(line: str) -> None:
    """White space inside a line does not matter for the detection of NDJSON."""
    assert [Event, Poison, Event] == [type(outcome) for outcome in decode(f"{line}\n{{oops\n{line}\n".encode())]


@pytest.mark.parametrize("payload", [b'{"Records":[{"EventSource":"aws:sns","Sns":{"MessageId":"1"}}]}'])
def test_an_sns_record_without_a_message_is_poison(payload: bytes) -> None:
    """The poison contains the bytes of the whole envelope."""
    [outcome] = decode(payload)
    assert b"MessageId" in outcome.raw


def test_a_confirmation_without_a_message_is_no_event() -> None:
    """It is described, and its link is not followed."""
    [outcome] = decode(dumped({"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": "https://…"}))
    assert isinstance(outcome, NotAnEvent)


def test_half_a_surrogate_pair_changes_no_sibling() -> None:
    """The text of the other records in the batch stays byte for byte."""
    bounce = json.dumps(json.loads(a_bounce()), indent=1).encode()
    outcomes = decode(b'[{"eventType":"Send","x":"\\ud83d"},' + bounce + b"]")
    assert bounce == outcomes[1].raw
