"""Simulated traffic resembles real sending, and is the same for the same seed."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest

from pipeline.errors import UsageError
from pipeline.event import Event, EventKind
from pipeline.local.ses.publisher import Publisher
from pipeline.local.traffic.generator import generate_traffic
from pipeline.wire import Bounce, Complaint
from tests.support.mails import decoded

START = datetime(2026, 3, 1, tzinfo=UTC)
EMAILS = 20_000
# Share of all events in percent, and how far off it may be.
SHARES = {
    EventKind.SEND: (46, 1.5),
    EventKind.DELIVERY: (41, 1.5),
    EventKind.OPEN: (6, 1),
    EventKind.BOUNCE: (2.6, 0.4),
    EventKind.CLICK: (2, 0.4),
    EventKind.DELIVERY_DELAY: (0.6, 0.2),
    EventKind.COMPLAINT: (0.1, 0.06),
}


@pytest.fixture(scope="module")
def payloads() -> list[list[bytes]]:
    return list(generate_traffic(emails=EMAILS, seed=1, start=START))


@pytest.fixture(scope="module")
def events(payloads: list[list[bytes]]) -> list[Event]:
    return decoded([payload for mail in payloads for payload in mail])


def test_each_mail_yields_the_events_of_one_message(payloads: list[list[bytes]]) -> None:
    """The generator yields a list of events for each e-mail, all with one message id."""
    assert len(payloads) == EMAILS
    assert {len({event.message_id for event in decoded(mail)}) for mail in payloads[:2_000]} == {1}


@pytest.mark.parametrize("kind", SHARES)
def test_a_kind_has_its_share(kind: EventKind, events: list[Event]) -> None:
    """The share of each common event type is near that of real sending."""
    percent, tolerance = SHARES[kind]
    assert 100 * sum(event.kind is kind for event in events) / len(events) == pytest.approx(percent, abs=tolerance)


@pytest.mark.parametrize("kind", [EventKind.REJECT, EventKind.RENDERING_FAILURE, EventKind.SUBSCRIPTION])
def test_a_rare_kind_occurs_and_is_rare(kind: EventKind, events: list[Event]) -> None:
    """Each rare event type occurs, in less than 0.2 % of events."""
    assert 0 < sum(event.kind is kind for event in events) < len(events) / 500


def test_an_event_is_about_1_8_kb(payloads: list[list[bytes]]) -> None:
    """The mean size of events is near that of real ones."""
    sizes_bytes = [len(payload) for mail in payloads for payload in mail]
    assert sum(sizes_bytes) / len(sizes_bytes) == pytest.approx(1_850, abs=150)


def test_no_two_events_have_the_same_id(events: list[Event]) -> None:
    """All event ids of the traffic are distinct."""
    assert len(events) == len({event.id for event in events})


def test_bounces_are_of_many_kinds_and_mostly_permanent(events: list[Event]) -> None:
    """Permanent/General is the most common bounce, and the other kinds occur."""
    sorts = Counter(
        (event.details.bounce_type, event.details.bounce_sub_type)
        for event in events
        if isinstance(event.details, Bounce)
    )
    assert sorts.most_common(1)[0][0] == ("Permanent", "General")
    assert set(sorts) >= {
        ("Permanent", "NoEmail"),
        ("Permanent", "Suppressed"),
        ("Permanent", "OnAccountSuppressionList"),
        ("Transient", "General"),
        ("Transient", "MailboxFull"),
        ("Transient", "MessageTooLarge"),
        ("Transient", "ContentRejected"),
        ("Undetermined", "Undetermined"),
    }


def test_soft_bounces_include_automatic_replies(events: list[Event]) -> None:
    """Transient/General occurs with a status, and without one as an automatic reply."""
    soft = [
        bool(person.status)
        for event in events
        if isinstance(event.details, Bounce)
        and (event.details.bounce_type, event.details.bounce_sub_type) == ("Transient", "General")
        for person in event.details.bounced_recipients or ()
    ]
    assert set(soft) == {True, False}


def test_complaints_vary(events: list[Event]) -> None:
    """Some complaints name several candidates, and some are `not-spam`."""
    complaints = [event.details for event in events if isinstance(event.details, Complaint)]
    assert any(len(complaint.complained_recipients or ()) > 1 for complaint in complaints)
    assert {"abuse", "not-spam", None} <= {complaint.complaint_feedback_type for complaint in complaints}


def test_complaints_come_an_hour_to_four_weeks_later(events: list[Event]) -> None:
    """The time from sending to complaint is realistic."""
    after = [
        event.occurred_at - event.sent_at
        for event in events
        if isinstance(event.details, Complaint)
        and event.details.complaint_sub_type is None
        and event.occurred_at
        and event.sent_at
    ]
    assert after
    assert all(timedelta(hours=1) <= delay <= timedelta(days=28) for delay in after)


def test_people_get_several_mails_in_several_spellings(events: list[Event]) -> None:
    """There are fewer addresses than mails, and some have more than two spellings."""
    spellings: dict[str, set[str]] = {}
    for event in events:
        if event.kind is EventKind.SEND:
            for address, spelling in zip(event.recipients, event.mail.destination or (), strict=True):
                spellings.setdefault(address, set()).add(spelling)
    assert len(spellings) < EMAILS / 2
    assert any(len(variants) > 2 for variants in spellings.values())


def test_some_addresses_have_an_internationalized_domain(events: list[Event]) -> None:
    """A domain occurs in its Unicode form and in its A-label form."""
    spellings = {text for event in events for text in event.mail.destination or ()}
    assert any("@bücher.example" in text for text in spellings)
    assert any("@xn--bcher-kva.example" in text for text in spellings)


def test_traffic_has_several_senders_and_campaigns(events: list[Event]) -> None:
    """Several senders, campaigns and configuration sets occur."""
    seen = Counter((event.mail.tags or {})["campaign"][0] for event in events)
    assert len(seen) > 3
    assert len({event.mail.source for event in events}) > 3
    assert {(event.mail.tags or {})["ses:configuration-set"][0] for event in events} == {"bulk", "transactional"}


def test_times_of_sending_increase(payloads: list[list[bytes]]) -> None:
    """Mails are sent in order of time from the start on."""
    sent = [decoded(mail)[0].sent_at for mail in payloads[:500]]
    assert sent == sorted(sent, key=lambda moment: moment or START)
    assert sent[0] is not None
    assert sent[0] >= START


def test_the_same_seed_yields_the_same_bytes() -> None:
    """Two runs with the same seed are equal."""
    first, same = (list(generate_traffic(emails=50, seed=3, start=START)) for _ in range(2))
    assert first == same


def test_another_seed_yields_other_mail() -> None:
    """Two seeds differ even for publishers in the same state."""
    first, other = (
        decoded(next(generate_traffic(emails=1, seed=seed, start=START, publisher=Publisher(seed=1))))
        for seed in (3, 4)
    )
    assert first[0].recipients != other[0].recipients


def test_a_given_publisher_sends_the_mail() -> None:
    """Events have the account of the publisher that is passed in."""
    publisher = Publisher(seed=1, account_id="210987654321", region="eu-west-1")
    mails = generate_traffic(emails=5, seed=1, start=START, publisher=publisher)
    assert {event.mail.sending_account_id for mail in mails for event in decoded(mail)} == {"210987654321"}


def test_a_start_without_zone_is_rejected() -> None:
    """The start must be an aware time."""
    with pytest.raises(UsageError, match="no time zone"):
        next(generate_traffic(emails=1, seed=1, start=datetime(2026, 3, 1)))  # noqa: DTZ001 - that is the point
