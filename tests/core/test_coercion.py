"""Tests of `pipeline.coercion`: which of several spellings of a key counts, and what texts mean."""

import pytest

from pipeline.coercion import coerce
from pipeline.wire import Mail


def mail(**fields: object) -> Mail:
    record = coerce({"mail": fields})
    assert record.mail
    return record.mail


@pytest.mark.parametrize(
    "fields",
    [
        {"messageId": "a", "messageid": "b"},
        {"messageid": "b", "messageId": "a"},
        {"message_id": "a", "MESSAGEID": "b"},
        {"MESSAGE_ID": None, "message_Id": "a"},
    ],
)
def test_of_several_spellings_of_a_key_one_counts(fields: dict[str, object]) -> None:
    """SES's own, or else the first that has a value."""
    assert mail(**fields).message_id == "a"


def test_an_object_may_be_given_as_its_text() -> None:
    """White space before it does not matter, and other text is no object."""
    assert coerce({"mail": ' {"messageId":"a"}'}).mail == mail(messageId="a")
    assert coerce({"mail": "{oops"}).mail is None


def test_a_number_of_18_digits_may_be_given_as_its_text() -> None:
    """It fits a bigint."""
    decision = coerce({"decision": {"atMs": "9" * 18}}).decision
    assert decision
    assert decision.at_ms == 10**18 - 1


@pytest.mark.parametrize(("text", "is_on"), [("True", True), ("true", True), ("FALSE", False), ("yes", None)])
def test_a_boolean_may_be_given_as_its_text(text: str, is_on: bool | None) -> None:
    """As Python and SQL print it."""
    subscription = coerce({"subscription": {"newTopicPreferences": {"unsubscribeAll": text}}}).subscription
    assert subscription
    assert subscription.new_topic_preferences
    assert subscription.new_topic_preferences.unsubscribe_all is is_on
