"""Limits of AWS are checked before a deployment, and each problem says how to deploy instead."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from pipeline.aws.deployment.limits import check_limits, trust_policy_characters
from pipeline.aws.stack import Stack
from pipeline.errors import UsageError
from tests.support import cloudformation
from tests.support.fake_service import REGION, FakeService, client
from tests.support.one_deployment import clients_with

STREAM = "mail-feedback"


@pytest.fixture(autouse=True)
def aws() -> Iterator[None]:
    """Run moto."""
    with mock_aws():
        yield


def check(stack: Stack | None = None, *, iam: FakeService | None = None, **values: str) -> None:
    """Check a deployment of these parameters, and of the defaults of all others."""
    check_limits(
        "mail",
        cloudformation.defaults() | values,
        clients=clients_with(**({"iam": iam.client()} if iam else {})),
        stack=stack,
    )


def a_stack(shards: int, **parameters: str) -> Stack:
    """Return a stack whose stream has so many shards."""
    client("kinesis").create_stream(StreamName=STREAM, ShardCount=shards)
    defaults = {"StreamShards": str(shards), "StreamMode": "PROVISIONED"}
    return Stack(
        name="mail",
        id=f"arn:aws:cloudformation:{REGION}:123456789012:stack/mail/1",
        status="UPDATE_COMPLETE",
        parameters=defaults | parameters,
        outputs={"FeedbackStream": STREAM},
    )


@pytest.mark.parametrize("days", ["1", "30"])
def test_a_log_that_expires_before_it_moves_is_rejected(days: str) -> None:
    """S3 rejects such a rule. The message has the least number of days, and the other way around it."""
    with pytest.raises(
        UsageError, match=r"LogExpirationDays must be greater than LogTransitionDays, 30: use at least 31"
    ):
        check(LogExpirationDays=days)


@pytest.mark.parametrize(
    "values",
    [
        {"LogExpirationDays": "31"},
        {"LogExpirationDays": "0"},
        {"LogExpirationDays": "7", "LogStorageClass": "STANDARD"},
        {"LogExpirationDays": "91", "LogTransitionDays": "90"},
    ],
)
def test_a_log_that_expires_later_or_does_not_move_is_accepted(values: dict[str, Any]) -> None:
    """A later expiration, none, and a log that stays in its class are valid."""
    check(**values)


@pytest.mark.parametrize("sets", [[], ["newsletter"], ["a", "bb", "ccc"]])
def test_the_trust_policy_is_counted_as_iam_counts_it(sets: list[str]) -> None:
    """The count equals the characters of the template's policy without white space."""
    role = cloudformation.stack(ConfigurationSets=",".join(sets)).properties("SesRole")
    text = json.dumps(role["AssumeRolePolicyDocument"], separators=(",", ":"))
    text = text.replace("{ConfigurationSet}", cloudformation.NAME)
    names = [cloudformation.NAME, *sets]
    assert trust_policy_characters(names, region=cloudformation.REGION, partition="aws") == len(text)


def test_too_many_configuration_sets_are_rejected() -> None:
    """IAM allows 2,048 characters, so 35 sets with names of eleven letters fit, and 40 do not."""
    names = [f"marketing{number:02}" for number in range(40)]
    check(ConfigurationSets=",".join(names[:35]))
    with pytest.raises(UsageError, match=r"ConfigurationSets has 40 names, .* 2,190 characters, and IAM allows 2,048"):
        check(ConfigurationSets=",".join(names))


def test_a_raised_quota_allows_more_configuration_sets() -> None:
    """The quota is the account's own."""
    check(iam=RaisedQuota(), ConfigurationSets=",".join(f"marketing{n:02}" for n in range(40)))


def test_an_unreadable_quota_is_that_of_aws() -> None:
    """Without the permission to read the quota, it is AWS's default."""
    with pytest.raises(UsageError, match="IAM allows 2,048"):
        check(iam=UnreadableQuota(), ConfigurationSets=",".join("a" * 9 + str(n) for n in range(60)))


class RaisedQuota(FakeService):
    """IAM of an account with the greatest quota."""

    SERVICE = "iam"

    def _get_account_summary(self) -> dict[str, Any]:
        return {"SummaryMap": {"AssumeRolePolicySizeQuota": 4_096}}


class UnreadableQuota(FakeService):
    """IAM that denies reading quotas."""

    SERVICE = "iam"

    def _get_account_summary(self) -> dict[str, Any]:
        return {"Error": {"Code": "AccessDenied", "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 403}}


@pytest.mark.parametrize(("shards", "wanted", "step"), [(1, 3, 2), (2, 8, 4), (8, 3, 4), (5, 1, 3)])
def test_a_number_of_shards_out_of_reach_is_rejected_with_the_next_step(shards: int, wanted: int, step: int) -> None:
    """Kinesis at most doubles or halves the number of shards at once."""
    with pytest.raises(UsageError, match=f"the stream has {shards}: deploy StreamShards={step} first"):
        check(a_stack(shards), StreamShards=str(wanted))


@pytest.mark.parametrize(("shards", "wanted"), [(1, 2), (2, 1), (4, 8), (4, 2), (5, 3), (3, 6)])
def test_double_and_half_the_shards_are_accepted(shards: int, wanted: int) -> None:
    """A single step of Kinesis is valid."""
    check(a_stack(shards), StreamShards=str(wanted))


def test_the_shards_of_the_stream_count_and_not_those_of_the_parameter() -> None:
    """A stream that ran on demand, or was resharded elsewhere, has another number of shards."""
    stack = a_stack(4, StreamMode="ON_DEMAND", StreamShards="1")
    with pytest.raises(UsageError, match="the stream has 4: deploy StreamShards=2 first"):
        check(stack, StreamShards="1")


def test_shards_that_stay_as_they_are_ask_nothing_of_aws() -> None:
    """A deployment that changes neither mode nor number does not read the stream."""
    stack = a_stack(4, StreamShards="1")
    client("kinesis").delete_stream(StreamName=STREAM)
    check(stack, StreamShards="1")


@pytest.mark.parametrize("values", [{"StreamMode": "ON_DEMAND", "StreamShards": "9"}, {"StreamShards": "9"}])
def test_shards_of_a_stream_on_demand_or_missing_are_not_checked(values: dict[str, Any]) -> None:
    """Kinesis ignores the number on demand, and a stream that is gone is created anew."""
    stack = a_stack(1)
    client("kinesis").delete_stream(StreamName=STREAM)
    check(stack, **values)


def test_all_problems_are_reported_together() -> None:
    """One message has every problem."""
    with pytest.raises(UsageError, match=r"LogExpirationDays .*; StreamShards "):
        check(a_stack(1), StreamShards="9", LogExpirationDays="1")
