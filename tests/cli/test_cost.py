"""`mailfold cost`: it shows the monthly cost, the assumptions, and the sources of the prices."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.aws.cost.estimate import price_list
from tests.support.command import json_lines, run, run_failing, run_ok


def row(shown: str, part: str) -> list[str]:
    """Return the numbers in the row of a part."""
    [line] = [line for line in shown.splitlines() if line.startswith(f"│ {part} ")]
    return line.strip("│ ").removeprefix(part).replace("│", " ").split()


def cost(*options: str, emails: str = "500000") -> Any:
    """Return the command's JSON."""
    [answer] = json_lines("cost", "--emails-per-day", emails, "--json", *options)
    return answer


def test_the_table_has_parts_total_and_the_cost_of_ses() -> None:
    """The table has each part, the total and SES's own charge."""
    shown = run_ok("cost", "--emails-per-day", "500000")
    assert row(shown, "log: Firehose, ingestion") == ["4.84", "4.84", "0.0003"]
    assert row(shown, "feedback: Kinesis, retention") == ["14.60", "14.60", "0.0010"]
    assert row(shown, "SES itself, for comparison") == ["1,520.83", "1,520.83", "0.1000"]
    answer = cost()
    assert row(shown, "total") == [
        f"{answer['first_usd']:,.2f}",
        f"{answer['twelfth_usd']:,.2f}",
        f"{answer['twelfth_usd_per_1000_emails']:.4f}",
    ]


def test_the_table_fits_into_80_columns() -> None:
    """A billion e-mails a day still fit."""
    shown = run_ok("cost", "--emails-per-day", "1000000000")
    assert max(len(line) for line in shown.splitlines() if "│" in line) <= 80


def test_assumptions_and_sources_are_printed() -> None:
    """The output names assumptions, uncertain and excluded costs, and the pages of the prices."""
    shown = run_ok("cost", "--emails-per-day", "1000")
    for line in (
        "  2.3 events per e-mail, of 2,200 bytes",
        "  2 % of e-mails bounce or cause a complaint, each at another address",
        "  a stream of mode PROVISIONED, 1 shard, retention 7 days",
        "  EventBridge: AWS does not state whether it charges for events of SES, as it does for those of S3",
        "  free tiers, discounts, taxes; alarm e-mails; transfer between regions",
        "  https://aws.amazon.com/s3/pricing/  2026-06 to 2026-10",
    ):
        assert line in shown.splitlines()


def test_the_share_of_firehoses_quota_is_printed() -> None:
    """Above the quota, the output says what to request."""
    shown = run_ok("cost", "--emails-per-day", "10000000", "--region", "eu-central-1")
    assert "Firehose accepts 1 MiB/s in eu-central-1; the busiest hour needs 168% of it: request a higher one" in shown
    assert "Firehose accepts 5 MiB/s in us-east-1; the busiest hour needs 2% of it\n" in run_ok(
        "cost", "--emails-per-day", "500000", "--region", "us-east-1"
    )
    assert cost("--region", "us-east-1")["firehose_quota_bytes_per_second"] == 5 * 1024**2


def test_options_change_the_workload() -> None:
    """Every option changes its field of the workload."""
    assert cost("--untracked")["workload"]["events_per_email"] == 2.0
    assert cost("--untracked", "--events-per-email", "5")["workload"]["events_per_email"] == 5.0
    options = ("--stream-mode", "ON_DEMAND", "--retention-days", "1", "--feedback-percent", "7.5", "--shards", "2")
    container = ("--consumer", "container", "--tasks", "2")
    assert cost(*options, *container, "--lookups-per-email", "0")["workload"] == {
        "emails_per_day": 500_000,
        "events_per_email": 2.3,
        "feedback_percent": 7.5,
        "lookups_per_email": 0.0,
        "event_bytes": 2_200,
        "stream_mode": "ON_DEMAND",
        "stream_shards": 2,
        "stream_retention_days": 1,
        "consumer": "container",
        "consumer_tasks": 2,
    }
    assert "stream of mode ON_DEMAND, retention 1 day\n" in run_ok("cost", "--emails-per-day", "1", *options)


def test_assumptions_depend_on_the_consumer() -> None:
    """A container and a consumer elsewhere have their own assumptions and exclusions."""
    container = run_ok("cost", "--emails-per-day", "1000", "--consumer", "container", "--tasks", "2").splitlines()
    assert row("\n".join(container), "feedback: consumer")[0] == "17.02"
    assert "  a container with 2 tasks of a quarter of a processor and 1 GB, arm64" in container
    assert "  the container's image and network: a NAT gateway, VPC endpoints or a public address" in container
    elsewhere = run_ok("cost", "--emails-per-day", "1000", "--consumer", "elsewhere").splitlines()
    assert "  the machine that runs `mailfold consume`, its logs and its metrics" in elsewhere


def test_json_contains_usage_and_prices() -> None:
    """The costs can be recalculated from usage and prices in the JSON."""
    answer = cost()
    assert answer["price_list"] == msgspec.to_builtins(price_list())
    assert sum(part["twelfth_usd"] for part in answer["costs"]) == pytest.approx(answer["twelfth_usd"])
    for part in answer["costs"]:
        usd = sum(
            used["first"] * price["usd"] / price["per"]
            for used in part["usage"]
            for price in [answer["price_list"]["prices"][used["price"]]]
        )
        assert usd == pytest.approx(part["first_usd"])
    assert (answer["region"], answer["prices_are_of_region"]) == ("us-east-1", True)


def test_without_mail_there_is_no_cost_per_thousand() -> None:
    """The JSON has null, and the table an empty cell."""
    assert cost(emails="0")["twelfth_usd_per_1000_emails"] is None
    assert len(row(run_ok("cost", "--emails-per-day", "0"), "total")) == 2


def test_prices_of_another_region_are_pointed_out() -> None:
    """The output says that the prices are those of us-east-1."""
    shown = run_ok("cost", "--emails-per-day", "1000", "--region", "eu-central-1")
    assert "These are prices of us-east-1. Those of eu-central-1 differ and are not included" in shown
    assert "differ" not in run_ok("cost", "--emails-per-day", "1000", "--region", "us-east-1")
    assert cost("--region", "eu-central-1")["prices_are_of_region"] is False


def test_a_rebuild_is_named_beside_the_months() -> None:
    """Its cost is stated, and not part of the total."""
    answer = cost(emails="50000000")
    assert f"Rebuild of the table in the twelfth month: ${answer['rebuild_usd']:,.2f}, in the region" in run_ok(
        "cost", "--emails-per-day", "50000000"
    )
    assert answer["twelfth_usd"] == pytest.approx(sum(part["twelfth_usd"] for part in answer["costs"]))


def test_the_region_may_precede_the_command() -> None:
    """The global option has the same effect."""
    assert "Those of eu-west-1 differ" in run_ok("--region", "eu-west-1", "cost", "--emails-per-day", "1")


def test_prices_are_read_from_a_file_in_the_printed_form(tmp_path: Path) -> None:
    """The printed price list, changed and saved, is accepted by --prices."""
    listed = cost()["price_list"]
    listed["region"] = "eu-central-1"
    listed["prices"]["kinesis_shard_hour"]["usd"] = 0.018
    file = tmp_path / "prices.json"
    file.write_bytes(msgspec.json.encode(listed))
    shown = run_ok("cost", "--emails-per-day", "0", "--region", "eu-central-1", "--prices", str(file))
    assert row(shown, "feedback: Kinesis")[0] == "13.14"
    assert "prices of eu-central-1" in shown
    assert "differ" not in shown


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--emails-per-day", "-1"], "--emails-per-day"),
        (["--emails-per-day", "many"], "--emails-per-day"),
        (["--emails-per-day", "1.5"], "--emails-per-day"),
        (["--emails-per-day", "10000000001"], "--emails-per-day"),
        (["--emails-per-day", "1", "--events-per-email", "0.5"], "--events-per-email"),
        (["--emails-per-day", "1", "--events-per-email", "nan"], "--events-per-email"),
        (["--emails-per-day", "1", "--feedback-percent", "101"], "--feedback-percent"),
        (["--emails-per-day", "1", "--feedback-percent", "nan"], "--feedback-percent"),
        (["--emails-per-day", "1", "--lookups-per-email", "inf"], "--lookups-per-email"),
        (["--emails-per-day", "1", "--shards", "0"], "--shards"),
        (["--emails-per-day", "1", "--stream-mode", "on"], "--stream-mode"),
        (["--emails-per-day", "1", "--retention-days", "5"], "--retention-days"),
    ],
)
def test_invalid_numbers_are_rejected(options: list[str], named: str) -> None:
    """The message names the option."""
    result = run("cost", *options)
    assert result.exit_code == 2
    assert f"Invalid value for '{named}'" in result.stderr


def test_the_number_of_emails_is_required() -> None:
    """The exit code is 2."""
    result = run("cost")
    assert result.exit_code == 2
    assert "Missing option '--emails-per-day'" in result.stderr


def test_an_unknown_region_is_rejected() -> None:
    """The message suggests the closest region."""
    sentence = run_failing("cost", "--emails-per-day", "1", "--region", "eu-centrl-1")
    assert sentence == "SES does not send from the region 'eu-centrl-1': did you mean eu-central-1?"


def test_no_account_and_no_profile_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that does not exist does not matter."""
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    assert cost("--region", "eu-west-1")["first_usd"] > 0
