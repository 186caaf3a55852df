"""What happens to made-up mail, and how often, in the proportions of real sending.

The shares are chosen so that, of all events, Send is about 46 %, Delivery 41, Open 6, Bounce 2.6, Click 2,
DeliveryDelay 0.6, Complaint 0.1, and Reject, Rendering Failure and Subscription are rare. What is left is still on its
way.

The ways in which made-up mail bounces, and how often each: mostly for good, mostly because there is no mailbox.
"""

from collections.abc import Callable, Iterator, Sequence
from math import log
from random import Random

import msgspec

from pipeline.address import bare
from pipeline.local.ses.outcome import (
    MAX_DELIVERY_MS,
    Bounced,
    Clicked,
    Complained,
    Delayed,
    Occurrence,
    Opened,
    RejectedMail,
    RenderingFailed,
    Subscribed,
)
from pipeline.local.ses.simulator import automatic_reply, deliveries, on_global_list


class _Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """What a remote server says; `{}` stands for the address."""

    type: str = "Permanent"
    sub_type: str = "General"
    status: str = "5.1.1"
    diagnostic: str | None = None
    latest_ms: int = 30_000


_EXPIRED = _Refusal(
    type="Transient",
    status="4.4.7",
    diagnostic="smtp; 550 4.4.7 Message expired: unable to deliver in 840 minutes.<421 4.4.0 Unable to lookup DNS>",
)
_REFUSALS = {
    _Refusal(diagnostic="smtp; 550 5.1.1 <{}>: Recipient address rejected: User unknown in virtual mailbox table"): 32,
    _Refusal(diagnostic="smtp; 550-5.1.1 There is no account of that name here.\n550 5.1.1 Is it spelt right?"): 14,
    _Refusal(status="5.4.1", diagnostic="smtp; 550 5.4.1 Recipient address rejected: Access denied"): 7,
    _Refusal(status="5.4.4"): 4,  # no such domain: nobody to say anything
    _Refusal(sub_type="NoEmail", diagnostic="smtp; 550 5.1.1 {}... User unknown"): 2,
    _EXPIRED: 9,
    _Refusal(
        type="Transient", sub_type="MailboxFull", status="5.2.2", diagnostic="smtp; 552 5.2.2 Mailbox over quota"
    ): 9,
    _Refusal(
        type="Transient", sub_type="MessageTooLarge", status="5.3.4", diagnostic="smtp; 552 5.3.4 Message too big"
    ): 2,
    _Refusal(
        type="Transient", sub_type="ContentRejected", status="5.7.1", diagnostic="smtp; 554 5.7.1 Looks like spam"
    ): 4,
    _Refusal(
        type="Transient", sub_type="AttachmentRejected", status="5.7.1", diagnostic="smtp; 552 5.7.0 Attachment refused"
    ): 1,
    _Refusal(type="Undetermined", sub_type="Undetermined", status="5.0.0", diagnostic="smtp; 500 5.0.0 Error"): 3,
}


def draw_bounce(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    """Give what becomes of a mail that bounces."""
    return random.choices(_WAYS, _WEIGHTS)[0](recipients, random)


def _refused(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    refusal = random.choices(tuple(_REFUSALS), tuple(_REFUSALS.values()))[0]
    diagnostic = refusal.diagnostic and refusal.diagnostic.replace("{}", bare(recipients[0]))
    yield Bounced(
        after_ms=MAX_DELIVERY_MS if refusal is _EXPIRED else random.randint(300, refusal.latest_ms),
        recipients=tuple(map(bare, recipients)),
        type=refusal.type,
        sub_type=refusal.sub_type,
        status=refusal.status,
        diagnostic=diagnostic,
    )


_WAYS: tuple[Callable[[Sequence[str], Random], Iterator[Occurrence]], ...] = (_refused, automatic_reply, on_global_list)
_WEIGHTS = (89, 8, 3)


MINUTE_MS = 60_000
DAY_MS = 1_440 * MINUTE_MS
LATEST_COMPLAINT_MS = 28 * DAY_MS
LATEST_OPEN_MS = 60 * DAY_MS  # SES tracks no longer than that

_OPENED, _AGAIN, _BY_A_MACHINE, _CLICKED, _LINK_TAGGED = 0.107, 0.3, 0.15, 0.335, 0.3
_USUAL_PAUSE = log(40 * MINUTE_MS)
_USER_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0",
)
# Feedback type and feedback loop; without a report SES knows neither.
_REPORTS = {
    ("abuse", "Mail Example Feedback Loop (V1.2)"): 80,
    ("not-spam", "Mail Example Feedback Loop (V1.2)"): 8,
    ("fraud", "Inbox Example FBL/2.0"): 2,
    (None, None): 10,
}
_DELAYS = (
    ("TransientCommunicationFailure", "4.4.1", "smtp; 421 4.4.1 Unable to connect to remote host"),
    ("MailboxFull", "4.2.2", "smtp; 452 4.2.2 Mailbox over quota, try later"),
    ("RecipientServerError", "4.3.2", "smtp; 451 4.3.2 Please try again later"),
    ("SpamDetected", "4.7.0", "smtp; 421 4.7.0 Too much mail from this network"),
)

Story = Callable[[Sequence[str], Random], Iterator[Occurrence]]


def draw_scenario(random: Random) -> Story:
    """Return what happens to the next mail."""
    return random.choices(tuple(_STORIES), tuple(_STORIES.values()))[0]


def complained(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    """Give a complaint, an hour to weeks after the delivery; where several got the mail, all of them are named."""
    yield from deliveries(recipients, random)
    feedback_type, user_agent = random.choices(tuple(_REPORTS), tuple(_REPORTS.values()))[0]
    yield Complained(
        after_ms=min(60 * MINUTE_MS + int(random.expovariate(1 / (2 * DAY_MS))), LATEST_COMPLAINT_MS),
        recipients=tuple(map(bare, recipients)),
        feedback_type=feedback_type,
        user_agent=user_agent,
    )


def _delivered(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    arrived = tuple(deliveries(recipients, random))
    yield from arrived
    if random.random() < _OPENED:
        yield from _attention(max(delivery.after_ms for delivery in arrived), random)


def _attention(arrived_ms: int, random: Random) -> Iterator[Occurrence]:
    """Opens minutes to days later, some of them several times, some at once by a machine; clicks in a third of them."""
    ip_address, user_agent = f"198.51.100.{random.randint(1, 254)}", random.choice(_USER_AGENTS)
    while True:
        bot = random.random() < _BY_A_MACHINE
        pause_ms = random.randint(800, 4_000) if bot else 5_000 + int(random.lognormvariate(_USUAL_PAUSE, 1.6))
        opened = Opened(
            after_ms=min(arrived_ms + pause_ms, LATEST_OPEN_MS), ip_address=ip_address, user_agent=user_agent, bot=bot
        )
        yield opened
        if random.random() < _CLICKED:
            yield _click(opened, random)
        if random.random() > _AGAIN:
            return


def _click(opened: Opened, random: Random) -> Clicked:
    page = random.choice(("", "offers/spring", "orders", "stories/12"))
    tags = {"placement": (random.choice(("header", "body", "footer")),)} if random.random() < _LINK_TAGGED else None
    return Clicked(
        after_ms=opened.after_ms + random.randint(2_000, 90_000),
        link=f"https://www.lantern.example/{page}",
        link_tags=tags,
        ip_address=opened.ip_address,
        user_agent=opened.user_agent,
        bot=opened.bot,
    )


def _unsubscribed(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    yield from deliveries(recipients, random)
    yield Subscribed(
        after_ms=random.randint(10, 2_000) * MINUTE_MS,
        contact_list="readers",
        topic=random.choice(("digest", "offers")),
        unsubscribe_all=random.choice((True, False)),
    )


def _bounced(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    """One of them bounces; the others get it."""
    *others, last = recipients
    yield from deliveries(others, random)
    yield from draw_bounce((last,), random)


def _delayed(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    """SES is put off once, and delivers minutes to hours later."""
    kind, status, diagnostic = random.choice(_DELAYS)
    delayed_ms = random.randint(2, 10) * MINUTE_MS
    yield Delayed(
        after_ms=delayed_ms,
        recipients=tuple(map(bare, recipients)),
        type=kind,
        status=status,
        diagnostic=diagnostic,
    )
    late_ms = delayed_ms + random.randint(5, 300) * MINUTE_MS
    for delivery in deliveries(recipients, random):
        yield msgspec.structs.replace(delivery, after_ms=late_ms + delivery.after_ms)


def _on_its_way(_: Sequence[str], __: Random) -> Iterator[Occurrence]:
    yield from ()


def _rejected(_: Sequence[str], __: Random) -> Iterator[Occurrence]:
    yield RejectedMail()


def _rendering_failed(_: Sequence[str], random: Random) -> Iterator[Occurrence]:
    missing = random.choice(("firstName", "orderNumber"))
    yield RenderingFailed(
        template_name="Receipt", error_message=f"Attribute '{missing}' is not present in the rendering data."
    )


# Of 10,000 mails.
_STORIES: dict[Story, int] = {
    _delivered: 8_240,
    _on_its_way: 1_070,
    _bounced: 500,
    _delayed: 130,
    complained: 23,
    _unsubscribed: 13,
    _rejected: 12,
    _rendering_failed: 12,
}
