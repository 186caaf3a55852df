"""Made-up traffic looks like real sending, and is the same for the same seed."""

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


def test_every_mail_gives_the_events_of_one_message(payloads: list[list[bytes]]) -> None:
    assert len(payloads) == EMAILS
    assert {len({event.message_id for event in decoded(mail)}) for mail in payloads[:2_000]} == {1}


@pytest.mark.parametrize("kind", SHARES)
def test_a_kind_has_its_share(kind: EventKind, events: list[Event]) -> None:
    percent, tolerance = SHARES[kind]
    assert 100 * sum(event.kind is kind for event in events) / len(events) == pytest.approx(percent, abs=tolerance)


@pytest.mark.parametrize("kind", [EventKind.REJECT, EventKind.RENDERING_FAILURE, EventKind.SUBSCRIPTION])
def test_a_rare_kind_is_there_and_rare(kind: EventKind, events: list[Event]) -> None:
    assert 0 < sum(event.kind is kind for event in events) < len(events) / 500


def test_an_event_is_about_1_8_kb(payloads: list[list[bytes]]) -> None:
    sizes_bytes = [len(payload) for mail in payloads for payload in mail]
    assert sum(sizes_bytes) / len(sizes_bytes) == pytest.approx(1_850, abs=150)


def test_no_two_events_have_the_same_id(events: list[Event]) -> None:
    assert len(events) == len({event.id for event in events})


def test_bounces_are_of_many_sorts_and_mostly_for_good(events: list[Event]) -> None:
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


def test_a_soft_bounce_has_a_status_and_an_automatic_reply_has_none(events: list[Event]) -> None:
    soft = [
        bool(person.status)
        for event in events
        if isinstance(event.details, Bounce)
        and (event.details.bounce_type, event.details.bounce_sub_type) == ("Transient", "General")
        for person in event.details.bounced_recipients or ()
    ]
    assert set(soft) == {True, False}


def test_some_complaints_name_several_candidates_and_some_say_that_it_is_no_spam(events: list[Event]) -> None:
    complaints = [event.details for event in events if isinstance(event.details, Complaint)]
    assert any(len(complaint.complained_recipients or ()) > 1 for complaint in complaints)
    assert {"abuse", "not-spam", None} <= {complaint.complaint_feedback_type for complaint in complaints}


def test_complaints_come_an_hour_to_four_weeks_later(events: list[Event]) -> None:
    after = [
        event.occurred_at - event.sent_at
        for event in events
        if isinstance(event.details, Complaint)
        and event.details.complaint_sub_type is None
        and event.occurred_at
        and event.sent_at
    ]
    assert after
    assert all(timedelta(hours=1) <= one <= timedelta(days=28) for one in after)


def test_people_are_written_to_again_in_other_spellings(events: list[Event]) -> None:
    spellings: dict[str, set[str]] = {}
    for event in events:
        if event.kind is EventKind.SEND:
            for address, spelling in zip(event.recipients, event.mail.destination or (), strict=True):
                spellings.setdefault(address, set()).add(spelling)
    assert len(spellings) < EMAILS / 2
    assert any(len(known) > 2 for known in spellings.values())


def test_some_addresses_have_an_internationalized_domain(events: list[Event]) -> None:
    spelt = {text for event in events for text in event.mail.destination or ()}
    assert any("@bücher.example" in text for text in spelt)
    assert any("@xn--bcher-kva.example" in text for text in spelt)


def test_several_senders_campaigns_and_configuration_sets_take_part(events: list[Event]) -> None:
    seen = Counter((event.mail.tags or {})["campaign"][0] for event in events)
    assert len(seen) > 3
    assert len({event.mail.source for event in events}) > 3
    assert {(event.mail.tags or {})["ses:configuration-set"][0] for event in events} == {"bulk", "transactional"}


def test_sending_goes_on_in_time(payloads: list[list[bytes]]) -> None:
    sent = [decoded(mail)[0].sent_at for mail in payloads[:500]]
    assert sent == sorted(sent, key=lambda moment: moment or START)
    assert sent[0] is not None
    assert sent[0] >= START


def test_the_same_seed_gives_the_same_bytes() -> None:
    one, same = (list(generate_traffic(emails=50, seed=3, start=START)) for _ in range(2))
    assert one == same


def test_another_seed_gives_other_mail_even_from_the_same_account() -> None:
    one, other = (
        decoded(next(generate_traffic(emails=1, seed=seed, start=START, publisher=Publisher(seed=1))))
        for seed in (3, 4)
    )
    assert one[0].recipients != other[0].recipients


def test_a_publisher_that_is_passed_in_sends_it() -> None:
    publisher = Publisher(seed=1, account_id="210987654321", region="eu-west-1")
    mails = generate_traffic(emails=5, seed=1, start=START, publisher=publisher)
    assert {event.mail.sending_account_id for mail in mails for event in decoded(mail)} == {"210987654321"}


def test_a_start_without_zone_is_refused() -> None:
    with pytest.raises(UsageError, match="no time zone"):
        next(generate_traffic(emails=1, seed=1, start=datetime(2026, 3, 1)))  # noqa: DTZ001 - that is the point
