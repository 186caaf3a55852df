"""Records are found in whatever carried them, and one bad record hides no other."""

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
from tests.support.strategies import CARRIERS, envelopes

TEST_LINE = b"Successfully validated SNS topic for Amazon SES event publishing."
MANY: dict[str, Callable[..., bytes]] = {
    "sqs": in_sqs,
    "lambda_sns": in_lambda_sns,
    "lambda_sqs": in_lambda_sqs,
    "kinesis": in_kinesis,
    "firehose": in_firehose,
}


def an_event(payload: bytes) -> Event:
    [event] = decode(payload)
    assert isinstance(event, Event)
    return event


@given(st.lists(envelopes, max_size=3))
def test_carriers_are_found_in_any_nesting_outermost_first(layers: list[str]) -> None:
    payload = a_bounce()
    for layer in reversed(layers):
        payload = CARRIERS[layer](payload)
    event = an_event(payload)
    assert tuple(layers) == event.envelopes
    assert a_bounce() == event.raw


def test_a_bare_record_has_no_carrier() -> None:
    assert an_event(a_bounce() + b"\n").envelopes == ()


@pytest.mark.parametrize(
    "message",
    [a_bounce().decode(), a_bounce().decode() + "\n", json.loads(a_bounce()), f"\ufeff {a_bounce().decode()}"],
    ids=["text", "with a newline", "object", "with a byte order mark"],
)
def test_sns_carries_its_message_in_every_form(message: object) -> None:
    event = an_event(dumped({"Type": "Notification", "Message": message}))
    assert ((Envelope.SNS,), a_bounce()) == (event.envelopes, event.raw)


def test_an_sns_message_without_the_rest_of_its_envelope_is_enough() -> None:
    assert an_event(dumped({"Message": a_bounce().decode()})).envelopes == (Envelope.SNS,)


def test_a_confirmation_type_does_not_hide_an_event() -> None:
    assert an_event(in_sns(a_bounce(), Type="SubscriptionConfirmation")).kind == "bounce"


@pytest.mark.parametrize("wrap", [in_lambda_sqs, in_sqs], ids=["lambda_sqs", "sqs"])
def test_raw_delivery_leaves_the_sns_envelope_out(wrap: Callable[..., bytes]) -> None:
    assert [one for one in an_event(wrap(in_sns(a_bounce()))).envelopes if one is Envelope.SNS] == [Envelope.SNS]
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
def test_a_carrier_is_known_by_its_own_keys(payload: bytes, envelope: Envelope) -> None:
    event = an_event(payload)
    assert ((envelope,), (ADA,)) == (event.envelopes, event.recipients)


def test_a_batch_that_an_event_source_mapping_gave_up_holds_its_records() -> None:
    """Lambda keeps the whole invocation as text in its failure destination on S3."""
    kept = {"requestContext": {}, "KinesisBatchInfo": {"shardId": "1"}, "payload": in_kinesis(a_bounce()).decode()}
    assert an_event(dumped(kept)).envelopes == (Envelope.KINESIS,)


def test_an_asynchronous_call_that_lambda_gave_up_holds_its_records() -> None:
    """Lambda keeps the call's event as an object in its failure destination."""
    kept = {"version": "1.0", "requestContext": {}, "requestPayload": json.loads(in_kinesis(a_bounce()))}
    assert an_event(dumped(kept)).envelopes == (Envelope.KINESIS,)


@pytest.mark.parametrize("inside", [a_bounce(), in_sns(a_bounce()), a_send() + b"\n" + a_bounce()])
def test_what_was_quarantined_can_be_read_again_as_it_was(inside: bytes) -> None:
    """The quarantine is no carrier: it adds nothing to those that the payload came in."""
    assert decode(inside) == decode(dumped({"payload_base64": base64(inside), "reason": "…", "position": "1"}))


def test_a_quarantined_payload_that_is_no_base64_is_poison() -> None:
    [outcome] = decode(dumped({"payload_base64": "not base64", "reason": "…"}))
    assert isinstance(outcome, Poison)


def test_a_list_and_a_json_text_are_no_carriers() -> None:
    assert an_event(b"[" + a_bounce() + b"]").envelopes == ()
    assert an_event(dumped(a_bounce().decode())).envelopes == ()


def test_a_record_is_not_looked_into_for_carriers() -> None:
    record = a_record("Bounce", {"bounce": {"bouncedRecipients": [ADA]}, "Message": a_send().decode(), "Records": []})
    assert (an_event(record).kind, an_event(record).envelopes) == ("bounce", ())


@pytest.mark.parametrize("wrap", MANY.values(), ids=MANY)
def test_a_bad_record_loses_none_of_its_siblings(wrap: Callable[..., bytes]) -> None:
    outcomes = decode(wrap(a_send(messageId="1"), b"{oops", b"", a_send(messageId="2"), b"[]", a_bounce()))
    assert [Event, Poison, Poison, Event, NotAnEvent, Event] == [type(one) for one in outcomes]
    assert outcomes[1].raw == b"{oops"


@given(
    st.lists(
        st.sampled_from([a_bounce(), b"{oops", b"\xff\xfe", b'{"eventType":"Bounce"}', b"[]", TEST_LINE]), min_size=1
    )
)
def test_every_line_has_its_own_outcome_in_order(lines: list[bytes]) -> None:
    text = b"\n".join([a_send(), b"", *lines, b" \r"])
    alone = [outcome for line in lines for outcome in decode(line)]
    assert alone == decode(text)[1:]


@pytest.mark.parametrize("separator", [b"\n", b"\r\n", b"\n\n", b" \n\t"])
def test_lines_may_end_in_any_way_and_be_blank(separator: bytes) -> None:
    outcomes = decode(separator.join([a_send(), a_bounce(), b""]))
    assert [one.kind for one in outcomes if isinstance(one, Event)] == ["send", "bounce"]


def test_lines_may_hold_carriers_of_different_kinds() -> None:
    outcomes = decode(b"\n".join([in_sns(a_bounce()), in_kinesis(a_bounce(), a_send()), as_notification(a_bounce())]))
    assert [one.envelopes for one in outcomes if isinstance(one, Event)] == [
        (Envelope.SNS,),
        (Envelope.KINESIS,),
        (Envelope.KINESIS,),
        (),
    ]


def test_lines_within_a_carrier_are_found() -> None:
    outcomes = decode(in_kinesis(a_bounce() + b"\n" + a_send()))
    assert [one.kind for one in outcomes if isinstance(one, Event)] == ["bounce", "send"]


def test_one_line_that_says_what_it_is_makes_lines_of_all_the_broken_ones() -> None:
    outcomes = decode(b"{a\n{b\n{c\n" + a_bounce())
    assert [Poison, Poison, Poison, Event] == [type(one) for one in outcomes]


def test_a_document_over_several_lines_that_is_broken_is_one_poison() -> None:
    """Though one of its lines, a header, is an object of its own."""
    document = json.dumps(json.loads(a_bounce(headers=["HEADER"])), indent=2).encode()
    broken = document.replace(b'"HEADER"', b'{"name":"Subject","value":"Hello"}').rstrip(b"} \n")
    [outcome] = decode(broken)
    assert (Poison, broken) == (type(outcome), outcome.raw)


def test_records_without_a_newline_between_them_are_one_poison_with_all_their_bytes() -> None:
    [outcome] = decode(a_bounce() + a_send())
    assert (Poison, a_bounce() + a_send()) == (type(outcome), outcome.raw)


def test_the_test_line_hides_no_line_after_it() -> None:
    """A topic that delivers raw into a stream writes the test line first, then events."""
    outcomes = decode(TEST_LINE + b"\n" + a_bounce() + b"\n" + a_send())
    assert [NotAnEvent, Event, Event] == [type(one) for one in outcomes]


@pytest.mark.parametrize("line", ['{ "eventType": "Send"}', '{\t"eventType":"Send"}', '[{"eventType":"Send"}]'])
def test_lines_may_hold_spaces_after_their_brace(line: str) -> None:
    assert [Event, Poison, Event] == [type(one) for one in decode(f"{line}\n{{oops\n{line}\n".encode())]


@pytest.mark.parametrize("payload", [b'{"Records":[{"EventSource":"aws:sns","Sns":{"MessageId":"1"}}]}'])
def test_poison_of_an_sns_record_without_a_message_keeps_its_bytes(payload: bytes) -> None:
    [outcome] = decode(payload)
    assert b"MessageId" in outcome.raw


def test_a_confirmation_without_a_message_is_named() -> None:
    [outcome] = decode(dumped({"Type": "SubscriptionConfirmation", "Token": "t", "SubscribeURL": "https://…"}))
    assert isinstance(outcome, NotAnEvent)


def test_half_a_surrogate_pair_leaves_its_siblings_text_as_it_was() -> None:
    bounce = json.dumps(json.loads(a_bounce()), indent=1).encode()
    outcomes = decode(b'[{"eventType":"Send","x":"\\ud83d"},' + bounce + b"]")
    assert bounce == outcomes[1].raw
