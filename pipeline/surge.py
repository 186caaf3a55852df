"""Surges of bounces: hours in which an unusual share of a recipient domain's mail bounced permanently.

A mailbox provider may fail and answer for minutes that its users do not exist. Each such bounce suppresses an address
for good, and no bounce alone shows that it is false. So the share of a whole hour is what counts. Pure.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from itertools import groupby

import msgspec

# An old list bounces at 5 to 20 percent; SES reviews an account at 5. A provider that fails bounces nearly everything.
DEFAULT_SHARE = 0.3
DEFAULT_BOUNCES = 100  # a small domain that closes is none of a provider's failures
SAME_STATUS = 0.95  # of the bounces: so few others are no reason to revert without the status
HOUR = timedelta(hours=1)


class SurgeRule(msgspec.Struct, frozen=True, kw_only=True):
    """What counts as a surge.

    Attributes:
        share: Permanent bounces of an hour as a share of the mails of that hour; more than this is a surge.
        bounces: The least number of them.
    """

    share: float = DEFAULT_SHARE
    bounces: int = DEFAULT_BOUNCES


class BounceCount(msgspec.Struct, frozen=True, kw_only=True):
    """Permanent bounces of an hour and a domain with one status: a row of schemas/queries/bounce_surges.sql.

    Attributes:
        hour: The beginning of the hour, aware.
        domain: The domain of the recipients.
        status: The enhanced status code (RFC 3463); "" if none.
        bounces: The bounces with this status.
        hour_bounces: All permanent bounces of that hour and domain.
        hour_sends: The recipients to whom mail was sent in that hour.
    """

    hour: datetime
    domain: str
    status: str
    bounces: int
    hour_bounces: int
    hour_sends: int


class Surge(msgspec.Struct, frozen=True, kw_only=True):
    """An hour in which a provider rejected an unusual share of the mail.

    Attributes:
        hour: The beginning of the hour, aware.
        domain: The domain of the recipients.
        bounces: The permanent bounces.
        sends: The recipients to whom mail was sent in that hour. Mail that was sent before may bounce in it too.
        statuses: The bounces by status, the most frequent first.
    """

    hour: datetime
    domain: str
    bounces: int
    sends: int
    statuses: dict[str, int]

    @property
    def share(self) -> float:
        """The bounces as a share of the mail, at most 1."""
        return min(1.0, self.bounces / self.sends) if self.sends else 1.0

    @property
    def status_pattern(self) -> str:
        """A pattern that nearly all bounces match: a status, or a class of them; "" if they have none in common."""
        for pattern in (max(self.statuses, key=lambda status: self.statuses[status]), *self._classes()):
            prefix = pattern.removesuffix("*")
            matching = sum(
                count for status, count in self.statuses.items() if status == pattern or status[: len(prefix)] == prefix
            )
            if prefix and matching >= SAME_STATUS * self.bounces:
                return pattern
        return ""

    @property
    def revert_arguments(self) -> list[str]:
        """The arguments of `mailfold` that release those whose only evidence is in this hour."""
        end = self.hour + HOUR
        status = ["--status", self.status_pattern] if self.status_pattern else []
        return ["revert", "--since", _text(self.hour), "--until", _text(end), "--domain", self.domain, *status]

    def _classes(self) -> Iterator[str]:
        for status in self.statuses:
            if status.count(".") == 2:  # noqa: PLR2004 - class, subject and detail
                yield status[: status.rindex(".") + 1] + "*"


def find_surges(counts: Iterable[BounceCount], rule: SurgeRule) -> list[Surge]:
    """Return the surges, the largest first.

    Args:
        counts: Bounces by hour, domain and status, in any order.
        rule: What counts as a surge.
    """
    by_hour = sorted(counts, key=lambda count: (count.hour, count.domain, -count.bounces, count.status))
    surges = [_surge(list(rows)) for _, rows in groupby(by_hour, key=lambda count: (count.hour, count.domain))]
    found = [surge for surge in surges if surge.bounces >= rule.bounces and surge.share > rule.share]
    return sorted(found, key=lambda surge: -surge.bounces)


def _surge(rows: list[BounceCount]) -> Surge:
    first = rows[0]
    return Surge(
        hour=first.hour,
        domain=first.domain,
        bounces=first.hour_bounces,
        sends=first.hour_sends,
        statuses={row.status: row.bounces for row in rows},
    )


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
