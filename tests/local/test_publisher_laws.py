"""For any e-mail and any outcome, the decoder reads what the publisher writes."""

from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.address import canonical
from pipeline.event import Event, EventKind
from pipeline.local.ses.email import Email
from pipeline.local.ses.outcome import (
    Bounced,
    Clicked,
    Complained,
    Delayed,
    Delivered,
    MailOutcome,
    Occurrence,
    Opened,
    RejectedMail,
    RenderingFailed,
    Subscribed,
)
from pipeline.local.ses.publisher import Publisher
from pipeline.timestamp import from_ms, to_ms
from tests.support.mails import decoded

a_law = settings(max_examples=50, deadline=None)  # no limit on one example: the machine may be busy
KINDS: dict[type[Occurrence], EventKind] = {
    Bounced: EventKind.BOUNCE,
    Complained: EventKind.COMPLAINT,
    Delivered: EventKind.DELIVERY,
    Delayed: EventKind.DELIVERY_DELAY,
    Opened: EventKind.OPEN,
    Clicked: EventKind.CLICK,
    Subscribed: EventKind.SUBSCRIPTION,
    RejectedMail: EventKind.REJECT,
    RenderingFailed: EventKind.RENDERING_FAILURE,
}
texts = st.text(max_size=12)
values = st.tuples(texts) | st.tuples(texts, texts)
names = st.text(st.characters(exclude_categories=["C"], exclude_characters='<>@"(),;:\\[]'), max_size=8)
locals_ = st.from_regex(r"[A-Za-z0-9_+/-]{1,8}(\.[A-Za-z0-9_+/-]{1,3})?", fullmatch=True)
domains = st.sampled_from(["example.com", "Example.NET", "bücher.example", "xn--bcher-kva.example", "a.b.example.org"])
bare_addresses = st.builds(lambda local, domain: f"{local}@{domain}", locals_, domains)
addresses = bare_addresses | st.builds(lambda name, address: f"{name} <{address}>", names, bare_addresses)
people = st.lists(addresses, max_size=4).map(tuple)
emails = st.builds(
    Email,
    sender=addresses,
    to=st.lists(addresses, min_size=1, max_size=4).map(tuple),
    cc=people,
    bcc=people,
    reply_to=people,
    subject=texts,
    tags=st.dictionaries(texts, values, max_size=3),
    configuration_set=st.sampled_from(["mailfold", "bulk"]),
    operation=st.sampled_from(["SendEmail", "SendRawEmail", "SendSmtpEmail"]),
    headers=st.lists(st.tuples(texts, texts), max_size=3).map(tuple),
    content=st.lists(st.binary(max_size=20), max_size=1).map(tuple),
)
moments = st.datetimes(datetime(1971, 1, 1), datetime(2150, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone


@st.composite
def outcomes(draw: st.DrawFn, email: Email) -> MailOutcome:
    """Any outcome of an e-mail, with at most one occurrence at a time."""
    some = st.lists(st.sampled_from(email.destination), min_size=1, max_size=4).map(tuple)
    moments_ms = draw(st.lists(st.integers(0, 5_000_000_000), max_size=6, unique=True))
    occurrences: list[Occurrence] = [
        draw(
            st.one_of(
                st.builds(Delivered, after_ms=st.just(at), recipients=some, smtp_response=texts),
                st.builds(
                    Bounced,
                    after_ms=st.just(at),
                    recipients=some | st.just(()),
                    type=texts,
                    sub_type=texts,
                    status=st.none() | texts,
                    diagnostic=st.none() | texts,
                ),
                st.builds(
                    Complained, after_ms=st.just(at), recipients=some, feedback_type=st.none() | texts, sub_type=texts
                ),
                st.builds(Delayed, after_ms=st.just(at), recipients=some, type=texts),
                st.builds(Opened, after_ms=st.just(at), bot=st.booleans(), user_agent=texts),
                st.builds(
                    Clicked, after_ms=st.just(at), link=texts, link_tags=st.none() | st.dictionaries(texts, values)
                ),
                st.builds(Subscribed, after_ms=st.just(at), contact_list=texts, topic=texts),
            )
        )
        for at in moments_ms
    ]
    occurrences += draw(
        st.sampled_from([(), (RejectedMail(),), (RenderingFailed(template_name="T", error_message="E"),)])
    )
    return MailOutcome(occurrences=tuple(occurrences))


@st.composite
def mails_and_outcomes(draw: st.DrawFn) -> tuple[Email, MailOutcome]:
    email = draw(emails)
    return email, draw(outcomes(email))


@a_law
@given(mails_and_outcomes(), moments)
def test_each_event_decodes_to_what_was_published(mail: tuple[Email, MailOutcome], sent_at: datetime) -> None:
    """Kind, recipients and times of each decoded event are those of its occurrence."""
    email, outcome = mail
    events = decoded(Publisher(seed=1).publish(email, sent_at=sent_at, outcome=outcome))
    sent = [event for event in events if event.kind is EventKind.SEND]
    others = [event for event in events if event.kind is not EventKind.SEND]
    was_sent = not any(isinstance(occurrence, RenderingFailed) for occurrence in outcome.occurrences)
    expected = sorted(expected_event(occurrence, email, sent_at) for occurrence in outcome.occurrences)
    assert sorted((event.kind, event.occurred_at, event.recipients) for event in others) == expected
    assert [event.recipients for event in sent] == [distinct(email.destination)] * was_sent
    assert {event.sent_at for event in events} <= {cut(sent_at)}


@a_law
@given(mails_and_outcomes(), moments)
def test_distinct_occurrences_have_distinct_ids(mail: tuple[Email, MailOutcome], sent_at: datetime) -> None:
    """No two events of a mail have the same id."""
    events = decoded(Publisher(seed=1).publish(mail[0], sent_at=sent_at, outcome=mail[1]))
    assert len(events) == len({event.id for event in events})


@a_law
@given(mails_and_outcomes(), moments)
def test_tags_survive(mail: tuple[Email, MailOutcome], sent_at: datetime) -> None:
    """The user's tags and the configuration set are in each decoded event."""
    email, outcome = mail
    for event in decoded(Publisher(seed=1).publish(email, sent_at=sent_at, outcome=outcome)):
        tags = event.mail.tags or {}
        assert {name: tuple(tags[name]) for name in email.tags} == email.tags
        assert tags["ses:configuration-set"] == [email.configuration_set]


@a_law
@given(emails, moments)
def test_simulated_events_keep_their_bytes_and_order(email: Email, sent_at: datetime) -> None:
    """The decoded events of a simulated outcome have the published bytes, in order of time."""
    events = Publisher(seed=1).publish(email, sent_at=sent_at)
    assert [event.raw + b"\n" for event in decoded(events)] == events
    assert [event.occurred_at for event in decoded(events)] == sorted(map(_occurred, decoded(events)))


def expected_event(
    occurrence: Occurrence, email: Email, sent_at: datetime
) -> tuple[EventKind, datetime, tuple[str, ...]]:
    """Return kind, time and recipients that an occurrence's event must have."""
    after = timedelta(milliseconds=getattr(occurrence, "after_ms", 0))
    recipients = getattr(occurrence, "recipients", email.destination)
    return KINDS[type(occurrence)], cut(sent_at) + after, distinct(recipients)


def distinct(recipients: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(address for address in map(canonical, recipients) if address))


def cut(moment: datetime) -> datetime:
    return from_ms(to_ms(moment))


def _occurred(event: Event) -> datetime:
    assert event.occurred_at
    return event.occurred_at
