"""Monthly cost by part: usage times price. Makes no request to AWS.

AWS's prices are data: prices.json, or a file of the same form. AWS renders its price tables by script, so each price
names the page that states it and the month in which it was read.
"""

from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec

from pipeline.aws.cost.usage import (
    ITEM_BYTES,
    MONTHS,
    QUERY_MIN_BYTES,
    READ_STEP_BYTES,
    TB,
    WRITES_PER_RECORD,
    Usage,
    rounded_bytes,
    usages,
)
from pipeline.aws.cost.workload import Workload
from pipeline.errors import UsageError

# One query for a month's bounces reads five columns, a few bytes of each row, and at least Athena's minimum.
QUERY_BYTES_PER_EVENT = 25

Dollars = Annotated[float, msgspec.Meta(ge=0)]
Month = Annotated[str, msgspec.Meta(pattern=r"^[0-9]{4}-[0-9]{2}$")]


class Price(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A price of AWS.

    Attributes:
        usd: US dollars.
        per: Number of units that `usd` pays for.
        unit: Name of the unit.
        source: Page that states the price.
        as_of: Month in which the page was read, YYYY-MM.
    """

    usd: Dollars
    per: Annotated[float, msgspec.Meta(gt=0)] = 1
    unit: str
    source: str
    as_of: Month


class PriceList(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Prices of one region.

    Attributes:
        region: The region.
        prices: Prices by name.
        comment: A note for readers of the file.
    """

    region: str
    prices: dict[str, Price]
    comment: str = ""

    def usd(self, name: str, units: float) -> float:
        """Return the cost of a number of units."""
        price = self.prices[name]
        return units * price.usd / price.per

    def sources(self) -> dict[str, tuple[str, str]]:
        """Return AWS's pages, each with the first and the last month in which it was read."""
        months_read: dict[str, list[str]] = {}
        for price in self.prices.values():
            months_read.setdefault(price.source, []).append(price.as_of)
        return {source: (min(months), max(months)) for source, months in sorted(months_read.items())}


class Cost(msgspec.Struct, frozen=True, kw_only=True):
    """Monthly cost of one part of Mailfold.

    Attributes:
        part: Name of the part.
        first_usd: Dollars in the first month.
        twelfth_usd: Dollars in the twelfth month, when almost a year of the log is stored.
        usage: What the part uses.
    """

    part: str
    first_usd: float
    twelfth_usd: float
    usage: tuple[Usage, ...]


class Estimate(msgspec.Struct, frozen=True, kw_only=True):
    """Monthly cost of Mailfold.

    Attributes:
        costs: Costs of the parts, in the order in which mail passes them.
        emails: E-mails in a month.
        ses_usd: SES's own charge for these e-mails; not part of the sum.
        query_usd: Athena's charge for one query for a month's bounces; not part of the sum.
        rebuild_usd: Charges for one rebuild of the suppression table in the twelfth month; not part of the sum.
    """

    costs: tuple[Cost, ...]
    emails: float
    ses_usd: float
    query_usd: float
    rebuild_usd: float

    @property
    def first_usd(self) -> float:
        """Dollars in the first month."""
        return sum(cost.first_usd for cost in self.costs)

    @property
    def twelfth_usd(self) -> float:
        """Dollars in the twelfth month."""
        return sum(cost.twelfth_usd for cost in self.costs)

    def per_thousand(self, usd: float) -> float | None:
        """Return the cost of a thousand e-mails, for a month's dollars. None: no e-mail is sent."""
        return usd * 1_000 / self.emails if self.emails else None


def estimate(workload: Workload, prices: PriceList) -> Estimate:
    """Return the monthly cost of a workload."""
    by_part: dict[str, list[Usage]] = {}
    for usage in usages(workload):
        by_part.setdefault(usage.part, []).append(usage)
    return Estimate(
        costs=tuple(_cost(part, part_usages, prices) for part, part_usages in by_part.items()),
        emails=workload.emails,
        ses_usd=prices.usd("ses_email", workload.emails),
        query_usd=query_usd(workload.events * QUERY_BYTES_PER_EVENT, prices),
        rebuild_usd=sum(prices.usd(name, units) for name, units in rebuild_units(workload).items()),
    )


def query_usd(scanned_bytes: float, prices: PriceList | None = None) -> float:
    """Return what an Athena query costs that reads so many bytes. None: at AWS's list prices."""
    return (prices or price_list()).usd("athena_scan", max(QUERY_MIN_BYTES, scanned_bytes) / TB)


def _cost(part: str, part_usages: list[Usage], prices: PriceList) -> Cost:
    return Cost(
        part=part,
        first_usd=sum(prices.usd(usage.price, usage.first) for usage in part_usages),
        twelfth_usd=sum(prices.usd(usage.price, usage.twelfth) for usage in part_usages),
        usage=tuple(part_usages),
    )


def rebuild_units(workload: Workload) -> dict[str, float]:
    """Return what a rebuild in the twelfth month uses, by price. Drills read the whole log anyway, every week."""
    addresses = workload.feedback * MONTHS[1]
    puts = next(usage.first for usage in usages(workload) if usage.price == "s3_put")
    return {
        "dynamodb_write": addresses * WRITES_PER_RECORD,
        "dynamodb_read": addresses * rounded_bytes(ITEM_BYTES, READ_STEP_BYTES) / READ_STEP_BYTES,
        "s3_get": puts * MONTHS[1],  # an object is read in as many requests as it is written in
    }


@cache
def price_list() -> PriceList:
    """Return the prices that are packaged with Mailfold."""
    return msgspec.json.decode(Path(__file__).with_name("prices.json").read_bytes(), type=PriceList)


def read_prices(file: Path) -> PriceList:
    """Return the prices in a file.

    Raises:
        UsageError: The file cannot be read, has another form, or lacks a price.
    """
    try:
        prices = msgspec.json.decode(file.read_bytes(), type=PriceList)
    except OSError as error:
        raise UsageError(f"the price list cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise UsageError(
            f"invalid price list: {error}; use the form of `price_list` in the output of --json"
        ) from error
    if missing := price_list().prices.keys() - prices.prices.keys():
        raise UsageError(
            f"the price list lacks {', '.join(sorted(missing))}: AWS's pages state these prices, see `price_list` in "
            "the output of --json"
        )
    return prices
