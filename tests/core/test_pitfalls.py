"""What has gone wrong for others who read SES's events must not go wrong here; each test says one such thing."""

from datetime import timedelta

import pytest

from pipeline.address import canonical
from pipeline.decode import decode
from pipeline.event import Event, EventKind, NotAnEvent, Poison
from pipeline.row import to_row
from tests.support.builders import (
    ABSENT,
    ADA,
    BOB,
    OCCURRED_AT,
    SENT_AT,
    a_bounce,
    a_complaint,
    a_decision,
    a_record,
    a_send,
    an_open,
    as_notification,
    dumped,
    in_kinesis,
    in_lambda_sns,
    in_lambda_sqs,
    in_sns,
    one_of_each,
)
from tests.support.scenario import World

LATER = OCCURRED_AT + timedelta(days=1)


def an_event(payload: bytes) -> Event:
    [event] = decode(payload)
    assert isinstance(event, Event)
    return event


def test_both_names_of_the_type_are_accepted() -> None:
    assert an_event(a_bounce()).kind is an_event(as_notification(a_bounce())).kind is EventKind.BOUNCE


def test_one_bounce_reported_in_both_formats_is_one_piece_of_evidence() -> None:
    world = World(a_bounce(), in_sns(as_notification(a_bounce())))
    assert len(world.answer().standing.hard) == 1


def test_sns_is_accepted_wrapped_and_raw() -> None:
    assert an_event(in_sns(a_bounce() + b"\n")).id == an_event(a_bounce()).id


def test_the_test_line_of_a_new_topic_is_not_poison() -> None:
    line = b"Successfully validated SNS topic for Amazon SES event publishing."
    assert World(line, in_sns(line)).tally.ignored == 2


def test_a_subscription_confirmation_is_named_and_its_link_is_never_followed() -> None:
    confirmation = {
        "Type": "SubscriptionConfirmation",
        "Message": "You have chosen…",
        "SubscribeURL": "http://169.254.169.254/",
    }
    assert isinstance(decode(dumped(confirmation))[0], NotAnEvent)


def test_repeated_opens_are_distinct() -> None:
    assert an_event(an_open()).id != an_event(an_open(at=LATER)).id


def test_a_display_name_is_parsed_away() -> None:
    assert World(a_bounce(recipients=[f'"Lovelace, Ada" <{ADA}>'])).verdict().suppressed


def test_case_does_not_matter_and_the_spelling_is_kept() -> None:
    answer = World(a_bounce(recipients=["Ada@EXAMPLE.com"])).answer("aDA@example.com")
    assert (answer.suppressed, answer.standing.hard[0].spelling) == (True, "Ada@EXAMPLE.com")


def test_plus_tags_and_dots_are_never_stripped() -> None:
    world = World(a_bounce(recipients=["a.da+news@example.com"]))
    assert (world.answer("a.da+news@example.com").suppressed, world.answer().suppressed) == (True, False)


def test_an_international_domain_is_one_key_in_both_spellings() -> None:
    assert World(a_bounce(recipients=["ada@bücher.example"])).answer("ada@xn--bcher-kva.example").suppressed


def test_a_slash_in_an_address_is_part_of_it() -> None:
    assert World(a_bounce(recipients=["a/da@example.com"])).answer("a/da@example.com").suppressed


def test_a_rendering_failure_is_known_by_its_name_with_a_space_and_its_object_failure() -> None:
    event = an_event(a_record("Rendering Failure", {"failure": {"templateName": "welcome"}}))
    assert to_row(event, arrived_at=LATER).template_name == "welcome"
    assert an_event(a_record("RenderingFailure", {"failure": {}})).kind is EventKind.RENDERING_FAILURE


@pytest.mark.parametrize("kind", ["delivery_delay", "subscription"])
def test_the_newer_types_are_known(kind: str) -> None:
    assert kind == an_event(one_of_each()[kind]).kind


def test_unknown_types_and_fields_are_kept_and_stop_nothing() -> None:
    novel = a_record("Novel", {"novel": {"a": 1}}, brandNew={"b": 2})
    world = World(novel, a_bounce(brandNew=1, bounce={"brandNew": []}))
    assert ({"unknown": 1, "bounce": 1}, novel) == (world.tally.events, an_event(novel).raw)


@pytest.mark.parametrize("truncated", [True, "true", ABSENT])
def test_headers_may_be_truncated_or_missing(truncated: object) -> None:
    assert an_event(a_bounce(headersTruncated=truncated, headers=ABSENT)).id == an_event(a_bounce()).id


def test_tags_may_be_missing_and_their_names_hold_colons_and_dashes() -> None:
    assert to_row(an_event(a_send()), arrived_at=LATER).tags is None
    tags = {"ses:caller-identity": ["ses-user"], "my-tag": ["a", "b"]}
    assert tags == to_row(an_event(a_send(tags=tags)), arrived_at=LATER).tags


def test_the_event_time_and_the_mail_time_are_both_kept() -> None:
    event = an_event(a_bounce(at=LATER))
    assert (event.occurred_at, event.sent_at) == (LATER, SENT_AT)


@pytest.mark.parametrize("form", ["2026-03-01T12:00:02Z", "2026-03-01T07:00:02.000-05:00", "2026-03-01T12:00:02 +0000"])
def test_every_form_of_a_time_is_read_and_none_is_ever_now(form: str) -> None:
    assert an_event(a_bounce(bounce={"timestamp": form})).occurred_at == OCCURRED_AT
    assert an_event(a_bounce(bounce={"timestamp": "soon"})).occurred_at is None


def test_large_events_pass_whole() -> None:
    bounce = a_bounce(headers=[{"name": "X", "value": "é" * 300_000}])
    assert bounce == to_row(an_event(in_kinesis(bounce)), arrived_at=LATER).raw.encode()


def test_one_poison_record_blocks_nothing() -> None:
    world = World(a_bounce(), b"{oops", a_bounce(recipients=[BOB]))
    assert (world.verdict(ADA).suppressed, world.verdict(BOB).suppressed) == (True, True)
    assert [held.payload for held in world.quarantine.held] == [b"{oops"]


def test_no_reason_of_the_quarantine_holds_an_address() -> None:
    world = World(b"{ada@example.com", a_bounce(recipients=["ada at example.com"]), a_decision(address="ada"))
    assert ["ada" not in held.reason for held in world.quarantine.held] == [True] * 3


def test_an_unknown_type_is_accepted_not_refused() -> None:
    world = World(in_sns(dumped({"notificationType": "Novel"})))
    assert (world.tally.events, world.quarantine.held) == ({"unknown": 1}, [])


@pytest.mark.parametrize("wrap", [in_lambda_sns, in_lambda_sqs, in_kinesis])
def test_one_bad_event_of_a_batch_loses_none_of_the_others(wrap: type) -> None:
    kinds = [type(outcome) for outcome in decode(wrap(a_bounce(), b"{oops", a_complaint()))]
    assert [Event, Poison, Event] == kinds


def test_an_address_too_long_is_set_aside_and_never_tried_again() -> None:
    long = f"{'a' * 320}@example.com"
    assert canonical(long) is None
    assert len(World(a_bounce(recipients=[long])).quarantine.held) == 1
