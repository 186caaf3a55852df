"""What a month costs: usage times price, by part. Pure: nobody is asked.

AWS's prices as data: prices.json, or a file of the same form.

AWS draws its price tables by script, so each price says on which page AWS has it, and when it was read.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec

from pipeline.aws.cost.usage import Usage, usages
from pipeline.aws.cost.workload import Workload
from pipeline.errors import UsageError

Dollars = Annotated[float, msgspec.Meta(ge=0)]
Month = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}$")]


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What AWS charges for something.

    Attributes:
        usd: US dollars.
        per: For how many units.
        unit: What is counted, in words.
        source: The page on which AWS says so.
        as_of: The month of the reading, YYYY-MM.
    """

    usd: Dollars
    per: Annotated[float, msgspec.Meta(gt=0)] = 1
    unit: str
    source: str
    as_of: Month


class PriceList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The prices of one region.

    Attributes:
        region: Whose they are.
        prices: By name.
        comment: What they are, for people.
    """

    region: str
    prices: dict[str, Price]
    comment: str = ""

    def usd(self, name: str, units: float) -> float:
        """Return what so many units cost."""
        price = self.prices[name]
        return units * price.usd / price.per

    def sources(self) -> dict[str, tuple[str, str]]:
        """Return AWS's pages, each with the months of the oldest and of the newest reading."""
        read: dict[str, list[str]] = {}
        for price in self.prices.values():
            read.setdefault(price.source, []).append(price.as_of)
        return {source: (min(months), max(months)) for source, months in sorted(read.items())}


@cache
def price_list() -> PriceList:
    """Return the prices that come with Mailfold."""
    return msgspec.json.decode(Path(__file__).with_name("prices.json").read_bytes(), type=PriceList)


def read_prices(file: Path) -> PriceList:
    """Return the prices of a file.

    Raises:
        UsageError: It cannot be read, is of another form, or lacks a price.
    """
    try:
        prices = msgspec.json.decode(file.read_bytes(), type=PriceList)
    except OSError as error:
        raise UsageError(f"the prices cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise UsageError(f"no list of prices: {error}; its form is `price_list` in what --json prints") from error
    if missing := price_list().prices.keys() - prices.prices.keys():
        raise UsageError(
            f"the prices lack {_named(missing)}: AWS's pages have them, see `price_list` in what --json prints"
        )
    return prices


def _named(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))


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
