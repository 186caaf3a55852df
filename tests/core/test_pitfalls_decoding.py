"""Known mistakes of other readers of SES's events, one per test: Mailfold must not make them."""

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
from tests.support.scenario import Scenario, an_event

LATER = OCCURRED_AT + timedelta(days=1)


def test_both_names_of_the_type_are_accepted() -> None:
    """`eventType` and `notificationType` name the same types."""
    assert an_event(a_bounce()).kind is an_event(as_notification(a_bounce())).kind is EventKind.BOUNCE


def test_one_bounce_in_both_formats_is_one_piece_of_evidence() -> None:
    """An identity notification and an event of the same bounce are not counted twice."""
    scenario = Scenario(a_bounce(), in_sns(as_notification(a_bounce())))
    assert len(scenario.standing().hard) == 1


def test_sns_is_accepted_wrapped_and_raw() -> None:
    """Both kinds of delivery yield the same event."""
    assert an_event(in_sns(a_bounce() + b"\n")).id == an_event(a_bounce()).id


def test_the_test_line_of_a_new_topic_is_not_poison() -> None:
    """The plain text that SES sends to a new destination is ignored."""
    line = b"Successfully validated SNS topic for Amazon SES event publishing."
    assert Scenario(line, in_sns(line)).counts.ignored == 2


def test_a_subscription_confirmation_is_ignored() -> None:
    """Its link is never followed, since it may point into the network."""
    confirmation = {
        "Type": "SubscriptionConfirmation",
        "Message": "You have chosen…",
        "SubscribeURL": "http://169.254.169.254/",
    }
    assert isinstance(decode(dumped(confirmation))[0], NotAnEvent)


def test_repeated_opens_are_distinct() -> None:
    """Two opens of one mail at different times have different ids."""
    assert an_event(an_open()).id != an_event(an_open(at=LATER)).id


def test_a_display_name_is_removed() -> None:
    """The address is suppressed although SES reports a display name with a comma."""
    assert Scenario(a_bounce(recipients=[f'"Lovelace, Ada" <{ADA}>'])).verdict().suppressed


def test_case_does_not_matter_and_the_spelling_is_kept() -> None:
    """A look-up in any case finds the item, which keeps the spelling as received."""
    scenario, other_case = Scenario(a_bounce(recipients=["Ada@EXAMPLE.com"])), "aDA@example.com"
    assert scenario.is_suppressed(other_case)
    assert scenario.standing(other_case).hard[0].spelling == "Ada@EXAMPLE.com"


def test_plus_tags_and_dots_are_never_stripped() -> None:
    """A bounce of a tagged address does not suppress the plain one."""
    scenario = Scenario(a_bounce(recipients=["a.da+news@example.com"]))
    assert (scenario.is_suppressed("a.da+news@example.com"), scenario.is_suppressed()) == (True, False)


def test_an_international_domain_is_one_key_in_both_spellings() -> None:
    """A bounce of the Unicode form suppresses the A-label form."""
    assert Scenario(a_bounce(recipients=["ada@bücher.example"])).is_suppressed("ada@xn--bcher-kva.example")


def test_a_slash_in_an_address_is_part_of_it() -> None:
    """A slash is valid in a local part and in a key."""
    assert Scenario(a_bounce(recipients=["a/da@example.com"])).is_suppressed("a/da@example.com")


def test_a_rendering_failure_is_detected_by_its_odd_names() -> None:
    """SES writes the type with a space and names its object `failure`."""
    event = an_event(a_record("Rendering Failure", {"failure": {"templateName": "welcome"}}))
    assert to_row(event, arrived_at=LATER).template_name == "welcome"
    assert an_event(a_record("RenderingFailure", {"failure": {}})).kind is EventKind.RENDERING_FAILURE


@pytest.mark.parametrize("kind", ["delivery_delay", "subscription"])
def test_the_newer_types_are_known(kind: str) -> None:
    """DeliveryDelay and Subscription are kinds of their own."""
    assert kind == an_event(one_of_each()[kind]).kind


def test_unknown_types_and_fields_are_kept_and_stop_nothing() -> None:
    """A new type is counted as unknown, and new fields are ignored."""
    novel = a_record("Novel", {"novel": {"a": 1}}, brandNew={"b": 2})
    scenario = Scenario(novel, a_bounce(brandNew=1, bounce={"brandNew": []}))
    assert ({"unknown": 1, "bounce": 1}, novel) == (scenario.counts.events, an_event(novel).raw)


@pytest.mark.parametrize("truncated", [True, "true", ABSENT])
def test_headers_may_be_truncated_or_missing(truncated: object) -> None:
    """Neither changes the event."""
    assert an_event(a_bounce(headersTruncated=truncated, headers=ABSENT)).id == an_event(a_bounce()).id


def test_tag_names_may_contain_colons_and_dashes() -> None:
    """Tags are kept by name, and a mail without tags has none."""
    assert to_row(an_event(a_send()), arrived_at=LATER).tags is None
    tags = {"ses:caller-identity": ["ses-user"], "my-tag": ["a", "b"]}
    assert tags == to_row(an_event(a_send(tags=tags)), arrived_at=LATER).tags


def test_the_event_time_and_the_mail_time_are_both_kept() -> None:
    """A bounce has its own time beside the time of sending."""
    event = an_event(a_bounce(at=LATER))
    assert (event.occurred_at, event.sent_at) == (LATER, SENT_AT)


@pytest.mark.parametrize("form", ["2026-03-01T12:00:02Z", "2026-03-01T07:00:02.000-05:00", "2026-03-01T12:00:02 +0000"])
def test_every_form_of_a_time_is_read_and_none_is_ever_now(form: str) -> None:
    """Times without fraction, with offset or with a space are read; an unreadable one is None."""
    assert an_event(a_bounce(bounce={"timestamp": form})).occurred_at == OCCURRED_AT
    assert an_event(a_bounce(bounce={"timestamp": "soon"})).occurred_at is None


def test_large_events_pass_whole() -> None:
    """A bounce with 600 KB of headers is stored byte for byte."""
    bounce = a_bounce(headers=[{"name": "X", "value": "é" * 300_000}])
    assert bounce == to_row(an_event(in_kinesis(bounce)), arrived_at=LATER).raw.encode()


def test_one_poison_record_blocks_nothing() -> None:
    """The records around poison are stored, and the poison is quarantined."""
    scenario = Scenario(a_bounce(), b"{oops", a_bounce(recipients=[BOB]))
    assert (scenario.verdict(ADA).suppressed, scenario.verdict(BOB).suppressed) == (True, True)
    assert [held.payload for held in scenario.quarantine.held] == [b"{oops"]


def test_no_quarantine_reason_contains_an_address() -> None:
    """Reasons are logged, and logs must not contain personal data."""
    scenario = Scenario(b"{ada@example.com", a_bounce(recipients=["ada at example.com"]), a_decision(address="ada"))
    assert ["ada" not in held.reason for held in scenario.quarantine.held] == [True] * 3


def test_an_unknown_type_is_accepted() -> None:
    """It is counted, and nothing is quarantined."""
    scenario = Scenario(in_sns(dumped({"notificationType": "Novel"})))
    assert (scenario.counts.events, scenario.quarantine.held) == ({"unknown": 1}, [])


@pytest.mark.parametrize("wrap", [in_lambda_sns, in_lambda_sqs, in_kinesis])
def test_one_bad_event_of_a_batch_loses_none_of_the_others(wrap: type) -> None:
    """Each record of a batch is decoded by itself."""
    kinds = [type(outcome) for outcome in decode(wrap(a_bounce(), b"{oops", a_complaint()))]
    assert [Event, Poison, Event] == kinds


def test_an_address_too_long_is_quarantined() -> None:
    """A key that no table accepts must not be retried for ever."""
    long = f"{'a' * 320}@example.com"
    assert canonical(long) is None
    assert len(Scenario(a_bounce(recipients=[long])).quarantine.held) == 1
