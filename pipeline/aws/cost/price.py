"""AWS's prices as data: prices.json, or a file of the same form.

AWS draws its price tables by script, so each price says on which page AWS has it, and when it was read.
"""

from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Annotated

import msgspec

from pipeline.errors import Misuse

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
        Misuse: It cannot be read, is of another form, or lacks a price.
    """
    try:
        prices = msgspec.json.decode(file.read_bytes(), type=PriceList)
    except OSError as error:
        raise Misuse(f"the prices cannot be read: {error.strerror}") from error
    except msgspec.DecodeError as error:
        raise Misuse(f"no list of prices: {error}; its form is `price_list` in what --json prints") from error
    if missing := price_list().prices.keys() - prices.prices.keys():
        raise Misuse(
            f"the prices lack {_named(missing)}: AWS's pages have them, see `price_list` in what --json prints"
        )
    return prices


def _named(names: Iterable[str]) -> str:
    return ", ".join(sorted(names))
