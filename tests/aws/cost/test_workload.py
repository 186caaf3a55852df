"""The workload: regions of SES, and the number of shards."""

import pytest

from pipeline.aws.cost.workload import Workload, check_region, firehose_quota_bytes
from pipeline.errors import UsageError


def test_shards_suffice_for_the_busiest_hour_or_are_given() -> None:
    """A shard accepts 1,000 records a second, and the busiest hour has three times the mean."""
    assert Workload(emails_per_day=1).shards == 1
    assert Workload(emails_per_day=28_800_000, feedback_percent=100).shards == 1
    assert Workload(emails_per_day=28_810_000, feedback_percent=100).shards == 2
    assert Workload(emails_per_day=1, stream_shards=3).shards == 3


def test_ten_million_mails_a_day_exceed_firehoses_quota_in_most_regions() -> None:
    """The busiest hour has three times the mean. Three regions have a quota of 5 MiB/s, all others of 1 MiB/s."""
    peak_bytes = Workload(emails_per_day=10_000_000).peak_bytes_per_second
    assert peak_bytes == pytest.approx(3 * 10_000_000 * 2.3 * 2_200 / 86_400)
    assert firehose_quota_bytes("eu-central-1") < peak_bytes < firehose_quota_bytes("eu-west-1")


@pytest.mark.parametrize("region", ["us-east-1", "eu-central-1", "ap-southeast-2", "us-gov-west-1"])
def test_a_region_of_ses_is_accepted(region: str) -> None:
    """Regions with an SES endpoint are accepted."""
    check_region(region)


@pytest.mark.parametrize("region", ["eu-centrl-1", "mars-north-1", "", "cn-north-1", "us-east-1 "])
def test_another_region_is_rejected_with_a_suggestion(region: str) -> None:
    """The message names the closest region."""
    with pytest.raises(UsageError, match=r"SES does not send from the region .*: did you mean [a-z]+-"):
        check_region(region)


def test_regions_do_not_depend_on_the_users_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that does not exist does not matter."""
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    check_region("us-east-1")
