"""A value of the wrong type is bent into shape where its meaning is plain, and left out where it is not."""

import pytest

from pipeline.decode import decode
from pipeline.event import Event, EventKind
from pipeline.wire import Bounce, Click, Delivery, Subscription
from tests.support.builders import ABSENT, ADA, BOB, a_bounce, a_delivery, a_record, a_send


def an_event(payload: bytes) -> Event:
    [event] = decode(payload)
    assert isinstance(event, Event)
    return event


@pytest.mark.parametrize(
    ("people", "expected"),
    [
        (ADA, (ADA,)),
        ([ADA, BOB], (ADA, BOB)),
        ({"emailAddress": ADA}, (ADA,)),
        ([{"emailAddress": ADA}, None, BOB], (ADA, BOB)),
        ([{"emailAddress": ADA, "status": 5}], (ADA,)),
        (None, ()),
    ],
)
def test_recipients_in_other_shapes_are_recipients(people: object, expected: tuple[str, ...]) -> None:
    assert expected == an_event(a_bounce(bounce={"bouncedRecipients": people}, x=1, destination=5)).recipients


@pytest.mark.parametrize("destination", [ADA, [ADA], [ADA, None, {}, []]])
def test_destinations_in_other_shapes_are_destinations(destination: object) -> None:
    assert an_event(a_send(destination=destination)).recipients == (ADA,)


@pytest.mark.parametrize("people", [5, [5], [[ADA]], [True]])
def test_a_recipient_that_cannot_be_read_is_counted_as_unusable(people: object) -> None:
    """An event that names somebody unreadable must be set aside, or a suppression is lost in silence."""
    assert an_event(a_bounce(bounce={"bouncedRecipients": people})).unusable == 1


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("1234", 1_234),
        (1_234, 1_234),
        ("-5", -5),
        (True, None),
        (1.5, None),
        ("soon", None),
        (10**18, None),
        ([], None),
    ],
)
def test_whole_numbers_are_read_from_texts_and_never_guessed(given: object, read: int | None) -> None:
    details = {"processingTimeMillis": given, "smtpResponse": 250}
    event = an_event(a_record("Delivery", {"delivery": details}))
    assert isinstance(event.details, Delivery)
    assert (read, "250") == (event.details.processing_time_millis, event.details.smtp_response)


@pytest.mark.parametrize(
    ("given", "read"), [("true", True), ("False", False), (True, True), ("perhaps", None), (1, None)]
)
def test_claims_are_read_from_texts_and_never_guessed(given: object, read: bool | None) -> None:
    details = {"newTopicPreferences": {"unsubscribeAll": given}, "source": 1}
    event = an_event(a_record("Subscription", {"subscription": details}))
    assert isinstance(event.details, Subscription)
    assert event.details.new_topic_preferences is not None
    assert read is event.details.new_topic_preferences.unsubscribe_all


def test_texts_are_read_from_numbers_but_not_from_claims() -> None:
    event = an_event(a_bounce(bounce={"feedbackId": 17, "reportingMTA": 1.5, "bounceSubType": True}))
    assert isinstance(event.details, Bounce)
    assert (event.details.feedback_id, event.details.reporting_mta, event.details.bounce_sub_type) == (
        "17",
        "1.5",
        None,
    )


@pytest.mark.parametrize(
    ("given", "read"),
    [({"a": "b"}, {"a": ["b"]}), ({"a": ["b", 1], "c": None}, {"a": ["b", "1"]}), ("text", None), ([["a", "b"]], None)],
)
def test_tags_are_lists_of_texts_by_name(given: object, read: object) -> None:
    event = an_event(a_record("Click", {"click": {"linkTags": given, "link": 1}}, tags=given, source=1))
    assert isinstance(event.details, Click)
    assert read == event.details.link_tags == event.mail.tags


@pytest.mark.parametrize("mail", [b"null", b"5", b'"text"', b"[]", b'[{"messageId":"m"}]'])
def test_a_record_whose_mail_is_no_object_is_an_event_all_the_same(mail: bytes) -> None:
    event = an_event(a_delivery().replace(b'"mail":{', b'"mail":%s,"x":{' % mail))
    assert (event.kind, event.message_id, event.recipients) == (EventKind.DELIVERY, None, (ADA,))


def test_a_type_that_is_a_number_is_an_unknown_type() -> None:
    assert ((event := an_event(b'{"eventType":5}')).kind, event.type) == (EventKind.UNKNOWN, "5")


def test_a_bounce_whose_object_is_no_object_is_poison() -> None:
    assert not isinstance(decode(a_record("Bounce", {"bounce": "text"}))[0], Event)


def test_a_bounce_is_the_same_event_before_and_after_mending() -> None:
    assert an_event(a_bounce()).id == an_event(a_bounce(destination=ADA)).id == an_event(a_bounce(tags=ABSENT)).id
