"""What a month costs: usage times price, by part. Pure: nobody is asked."""

from collections.abc import Iterable

import msgspec

from pipeline.aws.cost.price import PriceList
from pipeline.aws.cost.usage import Usage, usages
from pipeline.aws.cost.workload import Workload

# A question about a month's bounces that reads five columns, at a few bytes of each row; and Athena's least.
QUERY_BYTES_PER_EVENT, QUERY_LEAST_BYTES, TB = 25, 10_000_000, 10**12


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """What a part of Mailfold costs a month.

    Attributes:
        part: Which.
        first_usd: Dollars in the first month.
        twelfth_usd: Dollars in the twelfth, once a year's log is kept.
        usage: What it uses.
    """

    part: str
    first_usd: float
    twelfth_usd: float
    usage: tuple[Usage, ...]


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """What all of it costs.

    Attributes:
        costs: By part, in the order of the mail's way.
        emails: E-mails in a month.
        ses_usd: What SES itself charges for them.
        query_usd: What Athena charges for one question about a month's bounces; not part of the sum.
    """

    costs: tuple[Cost, ...]
    emails: float
    ses_usd: float
    query_usd: float

    @property
    def first_usd(self) -> float:
        """Dollars in the first month."""
        return sum(cost.first_usd for cost in self.costs)

    @property
    def twelfth_usd(self) -> float:
        """Dollars in the twelfth month."""
        return sum(cost.twelfth_usd for cost in self.costs)

    def per_thousand(self, usd: float) -> float | None:
        """Return what a month's dollars are for a thousand e-mails; None if none is sent."""
        return usd * 1_000 / self.emails if self.emails else None


def estimate(load: Workload, prices: PriceList) -> Estimate:
    """Return what a month costs."""
    by_part: dict[str, list[Usage]] = {}
    for usage in usages(load):
        by_part.setdefault(usage.part, []).append(usage)
    scanned_bytes = max(QUERY_LEAST_BYTES, load.events * QUERY_BYTES_PER_EVENT)
    return Estimate(
        costs=tuple(_cost(part, used, prices) for part, used in by_part.items()),
        emails=load.emails,
        ses_usd=prices.usd("ses_email", load.emails),
        query_usd=prices.usd("athena_scan", scanned_bytes / TB),
    )


def _cost(part: str, used: Iterable[Usage], prices: PriceList) -> Cost:
    usage = tuple(used)
    return Cost(
        part=part,
        first_usd=sum(prices.usd(one.price, one.first) for one in usage),
        twelfth_usd=sum(prices.usd(one.price, one.twelfth) for one in usage),
        usage=usage,
    )
