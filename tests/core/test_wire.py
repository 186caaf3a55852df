"""Tests of `wire.coerce`: a value of a wrong type is converted where its meaning is plain, and else omitted."""

import pytest

from pipeline.decode import decode
from pipeline.event import Event, EventKind
from pipeline.wire import Bounce, Click, Delivery, Subscription
from tests.support.builders import ABSENT, ADA, BOB, a_bounce, a_delivery, a_record, a_send
from tests.support.scenario import an_event


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
def test_recipients_of_other_shapes_are_coerced(people: object, expected: tuple[str, ...]) -> None:
    """A string, one object, or a list with null in it is read as recipients."""
    assert expected == an_event(a_bounce(bounce={"bouncedRecipients": people}, x=1, destination=5)).recipients


@pytest.mark.parametrize("destination", [ADA, [ADA], [ADA, None, {}, []]])
def test_destinations_of_other_shapes_are_coerced(destination: object) -> None:
    """A single string and odd elements do not lose the destination."""
    assert an_event(a_send(destination=destination)).recipients == (ADA,)


@pytest.mark.parametrize("people", [5, [5], [[ADA]], [True]])
def test_an_unreadable_recipient_is_counted_as_unusable(people: object) -> None:
    """An event with an unreadable recipient must be quarantined, or a suppression is lost silently."""
    assert an_event(a_bounce(bounce={"bouncedRecipients": people})).unusable_recipients == 1


@pytest.mark.parametrize(
    ("value", "expected"),
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
def test_integers_are_read_from_texts_only_if_exact(value: object, expected: int | None) -> None:
    """Fractions, booleans and numbers beyond a bigint are omitted."""
    details = {"processingTimeMillis": value, "smtpResponse": 250}
    event = an_event(a_record("Delivery", {"delivery": details}))
    assert isinstance(event.details, Delivery)
    assert (expected, "250") == (event.details.processing_time_millis, event.details.smtp_response)


@pytest.mark.parametrize(
    ("value", "expected"), [("true", True), ("False", False), (True, True), ("perhaps", None), (1, None)]
)
def test_booleans_are_read_from_texts_only_if_exact(value: object, expected: bool | None) -> None:
    """Any other text or number is omitted."""
    details = {"newTopicPreferences": {"unsubscribeAll": value}, "source": 1}
    event = an_event(a_record("Subscription", {"subscription": details}))
    assert isinstance(event.details, Subscription)
    assert event.details.new_topic_preferences is not None
    assert expected is event.details.new_topic_preferences.unsubscribe_all


def test_texts_are_read_from_numbers_not_from_booleans() -> None:
    """A number in place of a text becomes its digits."""
    event = an_event(a_bounce(bounce={"feedbackId": 17, "reportingMTA": 1.5, "bounceSubType": True}))
    assert isinstance(event.details, Bounce)
    assert (event.details.feedback_id, event.details.reporting_mta, event.details.bounce_sub_type) == (
        "17",
        "1.5",
        None,
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [({"a": "b"}, {"a": ["b"]}), ({"a": ["b", 1], "c": None}, {"a": ["b", "1"]}), ("text", None), ([["a", "b"]], None)],
)
def test_tags_are_lists_of_texts_by_name(value: object, expected: object) -> None:
    """A single value becomes a list, and a value that is no tag is omitted."""
    event = an_event(a_record("Click", {"click": {"linkTags": value, "link": 1}}, tags=value, source=1))
    assert isinstance(event.details, Click)
    assert expected == event.details.link_tags == event.mail.tags


@pytest.mark.parametrize("mail", [b"null", b"5", b'"text"', b"[]", b'[{"messageId":"m"}]'])
def test_a_record_whose_mail_is_no_object_is_an_event(mail: bytes) -> None:
    """The details are enough for kind and recipients."""
    event = an_event(a_delivery().replace(b'"mail":{', b'"mail":%s,"x":{' % mail))
    assert (event.kind, event.message_id, event.recipients) == (EventKind.DELIVERY, None, (ADA,))


def test_a_type_that_is_a_number_is_an_unknown_type() -> None:
    """The number becomes its text."""
    assert ((event := an_event(b'{"eventType":5}')).kind, event.type) == (EventKind.UNKNOWN, "5")


def test_a_bounce_whose_details_are_no_object_is_poison() -> None:
    """Nothing can be read from a text in place of the details."""
    assert not isinstance(decode(a_record("Bounce", {"bounce": "text"}))[0], Event)


def test_coercion_does_not_change_the_id() -> None:
    """A bounce with odd values is the same event as the documented one."""
    assert an_event(a_bounce()).id == an_event(a_bounce(destination=ADA)).id == an_event(a_bounce(tags=ABSENT)).id
