"""What happens to simulated e-mails, and how often, in the proportions of real sending.

Claims: of all events, about 46 % Send, 41 Delivery, 6 Open, 2.6 Bounce, 2 Click, 0.6 DeliveryDelay, 0.1 Complaint;
Reject, Rendering Failure and Subscription are rare. Some mail stays without a delivery.
"""

from collections.abc import Callable, Iterator, Sequence
from math import log
from random import Random

import msgspec

from pipeline.address import bare
from pipeline.local.ses.outcome import (
    Clicked,
    Complained,
    Delayed,
    Occurrence,
    Opened,
    RejectedMail,
    RenderingFailed,
    Subscribed,
)
from pipeline.local.ses.simulator import deliveries
from pipeline.local.traffic.bounce_mix import draw_bounce

MINUTE_MS = 60_000
DAY_MS = 1_440 * MINUTE_MS
LATEST_COMPLAINT_MS = 28 * DAY_MS
LATEST_OPEN_MS = 60 * DAY_MS  # SES tracks no longer

# Shares: of deliveries that are opened, of opens with another one, by a machine, and with a click; of links with tags.
_OPENED, _OPENED_AGAIN, _BY_A_MACHINE, _CLICKED, _LINK_TAGGED = 0.107, 0.3, 0.15, 0.335, 0.3
_MEDIAN_PAUSE = log(40 * MINUTE_MS)
_USER_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
    "Mozilla/5.0",
)
# Feedback type and feedback loop, by weight. Without a report SES knows neither.
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

Scenario = Callable[[Sequence[str], Random], Iterator[Occurrence]]
"""Yields what happens to an e-mail to these recipients."""


def draw_scenario(random: Random) -> Scenario:
    """Return a random scenario for the next e-mail."""
    return random.choices(tuple(_SCENARIOS), tuple(_SCENARIOS.values()))[0]


def complained(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    """Yield a complaint, an hour to weeks after the delivery, that names all recipients."""
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
        yield from _engagement(max(delivery.after_ms for delivery in arrived), random)


def _engagement(arrived_ms: int, random: Random) -> Iterator[Occurrence]:
    """Yield opens minutes to days later, some repeated, some at once by a machine, and clicks after a third of them."""
    ip_address, user_agent = f"198.51.100.{random.randint(1, 254)}", random.choice(_USER_AGENTS)
    while True:
        is_bot = random.random() < _BY_A_MACHINE
        pause_ms = random.randint(800, 4_000) if is_bot else 5_000 + int(random.lognormvariate(_MEDIAN_PAUSE, 1.6))
        opened = Opened(
            after_ms=min(arrived_ms + pause_ms, LATEST_OPEN_MS),
            ip_address=ip_address,
            user_agent=user_agent,
            bot=is_bot,
        )
        yield opened
        if random.random() < _CLICKED:
            yield _click(opened, random)
        if random.random() > _OPENED_AGAIN:
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
    """Yield a bounce of the last recipient and deliveries to the others."""
    *others, last = recipients
    yield from deliveries(others, random)
    yield from draw_bounce((last,), random)


def _delayed(recipients: Sequence[str], random: Random) -> Iterator[Occurrence]:
    """Yield a delay and, minutes to hours later, the deliveries."""
    kind, status, diagnostic = random.choice(_DELAYS)
    delayed_ms = random.randint(2, 10) * MINUTE_MS
    yield Delayed(
        after_ms=delayed_ms, recipients=tuple(map(bare, recipients)), type=kind, status=status, diagnostic=diagnostic
    )
    late_ms = delayed_ms + random.randint(5, 300) * MINUTE_MS
    for delivery in deliveries(recipients, random):
        yield msgspec.structs.replace(delivery, after_ms=late_ms + delivery.after_ms)


def _undelivered(_: Sequence[str], __: Random) -> Iterator[Occurrence]:
    yield from ()


def _rejected(_: Sequence[str], __: Random) -> Iterator[Occurrence]:
    yield RejectedMail()


def _rendering_failed(_: Sequence[str], random: Random) -> Iterator[Occurrence]:
    missing = random.choice(("firstName", "orderNumber"))
    yield RenderingFailed(
        template_name="Receipt", error_message=f"Attribute '{missing}' is not present in the rendering data."
    )


# Of 10,000 e-mails.
_SCENARIOS: dict[Scenario, int] = {
    _delivered: 8_240,
    _undelivered: 1_070,
    _bounced: 500,
    _delayed: 130,
    complained: 23,
    _unsubscribed: 13,
    _rejected: 12,
    _rendering_failed: 12,
}
