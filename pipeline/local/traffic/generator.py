"""The traffic generator: events of many e-mails, in realistic proportions, the same for the same seed.

Claims: addresses are mailed repeatedly, so that bounces repeat and SES's account-level list suppresses some mail.
Leaves out: a clock and the network; times follow from the start.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from random import Random

from pipeline.local.ses.outcome import MailOutcome
from pipeline.local.ses.publisher import Publisher
from pipeline.local.traffic.campaign import compose
from pipeline.local.traffic.recipients import MailboxOwner, RecipientPool
from pipeline.local.traffic.scenarios import Scenario, complained, draw_scenario

MAILS_PER_PERSON = 3
MEAN_GAP_MS = 2_000  # between two mails: about 43,000 a day
MAX_RECIPIENTS = 5

_SINGLE_RECIPIENT = 0.96  # share of mail to one address
_SHARED_COMPLAINT = 0.25  # share of complaints about a mail to several recipients
_HEEDS_LIST = 0.9  # share of mail for which the sender avoids addresses that SES suppresses


def generate_traffic(
    *, emails: int, seed: int, start: datetime, publisher: Publisher | None = None
) -> Iterator[list[bytes]]:
    """Yield the events of one e-mail after another.

    Args:
        emails: Number of e-mails.
        seed: The same seed yields the same bytes, with a publisher in the same state.
        start: Time of the first e-mail, aware.
        publisher: SES of the sending account; None: a new one with the same seed.

    Raises:
        UsageError: `start` has no time zone.
    """
    random = Random(seed)  # noqa: S311 - a simulation
    publisher = publisher or Publisher(seed=seed)
    pool = RecipientPool(size=max(MAX_RECIPIENTS, emails // MAILS_PER_PERSON), random=random)
    sent_at = start
    for _ in range(emails):
        sent_at += timedelta(milliseconds=int(random.expovariate(1 / MEAN_GAP_MS)))
        scenario = draw_scenario(random)
        people = _choose_recipients(pool, scenario, publisher, random)
        recipients = [person.spelling(random) for person in people]
        email = compose(recipients, sent_at=sent_at, random=random)
        is_suppressed = any(map(publisher.is_suppressed, recipients))
        outcome = None if is_suppressed else MailOutcome(occurrences=tuple(scenario(recipients, random)))
        yield publisher.publish(email, sent_at=sent_at, outcome=outcome)


def _choose_recipients(
    pool: RecipientPool, scenario: Scenario, publisher: Publisher, random: Random
) -> Sequence[MailboxOwner]:
    if scenario is complained and random.random() < _SHARED_COMPLAINT:
        people = pool.pick_of_one_domain(random.randint(2, MAX_RECIPIENTS), random)
    else:
        people = pool.pick(1 if random.random() < _SINGLE_RECIPIENT else random.randint(2, MAX_RECIPIENTS), random)
    if random.random() < _HEEDS_LIST and any(publisher.is_suppressed(person.address) for person in people):
        return pool.pick(1, random)
    return people
