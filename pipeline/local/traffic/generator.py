"""Made-up traffic: the events of many e-mails, in realistic proportions, the same for the same seed.

No clock, no network. The audience is small enough to be written to again and again, so that bounces repeat, and SES's
own suppression list keeps some of it back.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random

from pipeline.local.ses.outcome import MailOutcome
from pipeline.local.ses.publisher import Publisher
from pipeline.local.traffic.campaign import MailboxOwner, RecipientPool, compose
from pipeline.local.traffic.scenarios import Story, complained, draw_scenario

MAILS_PER_PERSON = 3
USUAL_GAP_MS = 2_000  # between two mails: about 43,000 a day
MOST_TOGETHER = 5

_ALONE = 0.96  # most mail goes to one address
_TOGETHER = 0.25  # of complaints, those about a mail that several got
_HEEDED = 0.9  # how often a sender remembers not to write to an address that SES keeps back


def generate_traffic(
    *, emails: int, seed: int, start: datetime, publisher: Publisher | None = None
) -> Iterator[list[bytes]]:
    """Give the events of one e-mail after another.

    Args:
        emails: How many.
        seed: The same seed gives the same bytes, with a publisher in the same state.
        start: When sending begins; aware.
        publisher: Whose account sends; None: a fresh one, seeded alike.

    Raises:
        UsageError: `start` has no time zone.
    """
    random = Random(seed)  # noqa: S311 - made-up traffic
    publisher = publisher or Publisher(seed=seed)
    audience = RecipientPool(size=max(MOST_TOGETHER, emails // MAILS_PER_PERSON), random=random)
    sent_at = start
    for _ in range(emails):
        sent_at += timedelta(milliseconds=int(random.expovariate(1 / USUAL_GAP_MS)))
        story = draw_scenario(random)
        people = _choose(audience, story, publisher, random)
        recipients = [person.spelling(random) for person in people]
        email = compose(recipients, sent_at=sent_at, random=random)
        kept_back = any(map(publisher.keeps_back, recipients))
        fate = None if kept_back else MailOutcome(occurrences=tuple(story(recipients, random)))
        yield publisher.publish(email, sent_at=sent_at, fate=fate)


def _choose(audience: RecipientPool, story: Story, publisher: Publisher, random: Random) -> Sequence[MailboxOwner]:
    if story is complained and random.random() < _TOGETHER:
        people = audience.pick_together(random.randint(2, MOST_TOGETHER), random)
    else:
        people = audience.pick(1 if random.random() < _ALONE else random.randint(2, MOST_TOGETHER), random)
    if random.random() < _HEEDED and any(publisher.keeps_back(person.address) for person in people):
        return audience.pick(1, random)
    return people
