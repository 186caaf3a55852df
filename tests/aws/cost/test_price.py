"""Prices are data: each has its source and month, and a file can replace them."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.aws.cost.estimate import price_list, read_prices
from pipeline.aws.cost.usage import usages
from pipeline.aws.cost.workload import ConsumerMode, StreamMode, Workload, check_region
from pipeline.errors import UsageError


def written(folder: Path, **changed: Any) -> Path:
    file = folder / "prices.json"
    file.write_bytes(msgspec.json.encode({**msgspec.to_builtins(price_list()), **changed}))
    return file


def test_every_price_says_on_which_page_of_aws_it_stands_and_when_it_was_read() -> None:
    for price in price_list().prices.values():
        assert price.source.startswith("https://aws.amazon.com/")
        assert price.source.endswith("/")
        assert "/pricing/" in price.source
        assert "2026-01" <= price.as_of <= "2026-11"
        assert price.usd > 0
        assert price.unit


def test_every_price_is_used_and_every_use_has_a_price() -> None:
    workloads = [
        Workload(emails_per_day=1, stream_mode=mode, consumer=consumer)
        for mode in StreamMode
        for consumer in ConsumerMode
    ]
    used = {usage.price for workload in workloads for usage in usages(workload)}
    assert used | {"ses_email", "athena_scan"} == price_list().prices.keys()


def test_a_price_is_for_so_many_units() -> None:
    assert price_list().usd("eventbridge_event", 2_000_000) == 2.00
    assert price_list().usd("kinesis_shard_hour", 730) == pytest.approx(10.95)


def test_pages_are_told_with_their_oldest_and_newest_month() -> None:
    sources = price_list().sources()
    assert sources["https://aws.amazon.com/s3/pricing/"] == ("2026-06", "2026-10")
    assert {month for months in sources.values() for month in months} == {
        price.as_of for price in price_list().prices.values()
    }


def test_other_prices_can_be_given_in_the_same_form(tmp_path: Path) -> None:
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
def test_what_is_no_price_list_is_refused(tmp_path: Path, content: str, sentence: str) -> None:
    file = tmp_path / "prices.json"
    file.write_text(content)
    with pytest.raises(UsageError, match=sentence):
        read_prices(file)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read: No such file"):
        read_prices(tmp_path / "missing")


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1"])
def test_where_ses_sends_is_a_region(region: str) -> None:
    check_region(region)


@pytest.mark.parametrize("region", ["eu-centrl-1", "mars-north-1", "", "cn-north-1", "us-east-1 "])
def test_anywhere_else_is_none_and_the_nearest_name_is_told(region: str) -> None:
    with pytest.raises(UsageError, match=r"SES does not send from the region .*: did you mean [a-z]+-"):
        check_region(region)


def test_nothing_of_the_user_is_asked_for_regions(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    check_region("us-east-1")
