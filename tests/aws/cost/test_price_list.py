"""Prices are data: each has its source and month, and a file can replace them."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.aws.cost.estimate import price_list, read_prices, rebuild_units
from pipeline.aws.cost.usage import usages
from pipeline.aws.cost.workload import ConsumerMode, StreamMode, Workload
from pipeline.errors import UsageError


def written(folder: Path, **changed: Any) -> Path:
    """Write a price list with changes, and return its file."""
    file = folder / "prices.json"
    file.write_bytes(msgspec.json.encode({**msgspec.to_builtins(price_list()), **changed}))
    return file


def test_every_price_has_a_source_and_a_month() -> None:
    """Every price has a page of AWS, the month in which it was read, and a unit."""
    for price in price_list().prices.values():
        assert price.source.startswith("https://aws.amazon.com/")
        assert price.source.endswith("/")
        assert "/pricing/" in price.source
        assert "2026-01" <= price.as_of <= "2026-11"
        assert price.usd > 0
        assert price.unit


def test_prices_and_usages_match() -> None:
    """Every price is used by some workload, and every usage has a price."""
    workloads = [
        Workload(emails_per_day=1, stream_mode=mode, consumer=consumer)
        for mode in StreamMode
        for consumer in ConsumerMode
    ]
    used = {usage.price for workload in workloads for usage in usages(workload)}
    assert used | {"ses_email", "athena_scan", "s3_get"} == price_list().prices.keys()
    assert rebuild_units(Workload(emails_per_day=1)).keys() <= price_list().prices.keys()


def test_a_price_is_divided_by_its_units() -> None:
    """The cost is proportional to the units."""
    assert price_list().usd("eventbridge_event", 2_000_000) == 2.00
    assert price_list().usd("kinesis_shard_hour", 730) == pytest.approx(10.95)


def test_sources_have_their_first_and_last_month() -> None:
    """Each page has the first and the last month of its prices."""
    sources = price_list().sources()
    assert sources["https://aws.amazon.com/s3/pricing/"] == ("2026-06", "2026-10")
    assert {month for months in sources.values() for month in months} == {
        price.as_of for price in price_list().prices.values()
    }


def test_prices_can_be_read_from_a_file(tmp_path: Path) -> None:
    """A file of the same form replaces the packaged prices."""
    prices = read_prices(written(tmp_path, region="eu-central-1"))
    assert (prices.region, prices.prices) == ("eu-central-1", price_list().prices)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "invalid price list"),
        ("[]", "invalid price list"),
        ('{"region": "eu-west-1", "prices": {}}', "the price list lacks athena_scan, cloudwatch_alarm,"),
        ('{"region": "eu-west-1", "prices": {"x": {"usd": -1, "unit": "", "source": "", "as_of": "2026-10"}}}', ">= 0"),
        ('{"region": "eu-west-1", "prices": {"x": {"usd": 1, "unit": "", "source": "", "as_of": "today"}}}', "regex"),
    ],
)
def test_an_invalid_price_list_is_rejected(tmp_path: Path, content: str, sentence: str) -> None:
    """The message names the missing price or the invalid value."""
    file = tmp_path / "prices.json"
    file.write_text(content)
    with pytest.raises(UsageError, match=sentence):
        read_prices(file)


def test_a_missing_price_file_is_rejected(tmp_path: Path) -> None:
    """The message has the system's reason."""
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_prices(tmp_path / "missing")
