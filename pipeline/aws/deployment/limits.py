"""Limits of AWS that a deployment would reach only after minutes, and then be rolled back. They are checked before it.

Each problem says how to deploy instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

from pipeline.aws.clients import Clients
from pipeline.aws.errors import missing_ok, translated
from pipeline.aws.stack import Stack
from pipeline.errors import AccessDenied, UsageError

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

# IAM counts no white space. docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
TRUST_POLICY_CHARACTERS = 2_048  # an account may have up to 4,096
SET_PATTERN = "arn:*:ses:*:*:configuration-set/"
# SesRole's trust policy without the patterns of sets, and without the values of region, account and partition.
FIXED_TRUST_POLICY_CHARACTERS = 300


def check_limits(name: str, values: Mapping[str, str], *, clients: Clients, stack: Stack | None) -> None:
    """Check what AWS would reject late.

    Args:
        name: Name of the stack.
        values: Value of every parameter after the deployment.
        clients: Clients of the account and region. AWS is asked only if a limit may be reached.
        stack: The stack. None: it does not exist.

    Raises:
        UsageError: AWS would reject the values. The message names every problem and the way around it.
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    problems = [
        *_expiration_problems(values),
        *_trust_policy_problems(name, values, clients),
        *(_shard_problems(values, clients, stack) if stack else ()),
    ]
    if problems:
        raise UsageError("; ".join(problems))


def _expiration_problems(values: Mapping[str, str]) -> Iterator[str]:
    """Yield the problem of a lifecycle rule that S3 rejects.

    docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-transition-general-considerations.html
    """
    transition, expiration = int(values["LogTransitionDays"]), int(values["LogExpirationDays"])
    if values["LogStorageClass"] != "STANDARD" and 0 < expiration <= transition:
        yield (
            f"LogExpirationDays must be greater than LogTransitionDays, {transition}: use at least {transition + 1}, "
            "or LogStorageClass=STANDARD, with which the log is not moved"
        )


def _trust_policy_problems(name: str, values: Mapping[str, str], clients: Clients) -> Iterator[str]:
    sets = [part.strip() for part in values["ConfigurationSets"].split(",") if part.strip()]
    region = clients.cloudformation.meta.region_name
    partition = clients.cloudformation.meta.partition
    characters = trust_policy_characters([name, *sets], region=region, partition=partition)
    if characters <= TRUST_POLICY_CHARACTERS or sets == ["*"]:
        return
    quota = _trust_policy_quota(clients.iam)
    if characters > quota:
        yield (
            f"ConfigurationSets has {len(sets)} names, with which the trust policy of SesRole would have "
            f"{characters:,} characters, and IAM allows {quota:,}: name fewer sets, or raise the quota 'Role trust "
            "policy length' of IAM in Service Quotas, to 4,096 at most"
        )


def trust_policy_characters(configuration_sets: Sequence[str], *, region: str, partition: str) -> int:
    """Return the characters of SesRole's trust policy, as IAM counts them.

    Args:
        configuration_sets: Names of all sets, the stack's own included.
        region: Region of the stack.
        partition: Partition of its ARNs, such as `aws`.
    """
    patterns = sum(len(f'"{SET_PATTERN}{name}",') for name in configuration_sets) - 1
    return FIXED_TRUST_POLICY_CHARACTERS + len(region) + len(partition) + patterns


def _trust_policy_quota(iam: IAMClient) -> int:
    """Return the account's quota, or AWS's default if it may not be read."""
    try:
        with translated("reading the quotas of IAM"):
            summary = iam.get_account_summary()["SummaryMap"]
    except AccessDenied:
        return TRUST_POLICY_CHARACTERS
    return summary.get("AssumeRolePolicySizeQuota", TRUST_POLICY_CHARACTERS)


def _shard_problems(values: Mapping[str, str], clients: Clients, stack: Stack) -> Iterator[str]:
    """Yield the problem of a number of shards that one update cannot reach.

    docs.aws.amazon.com/kinesis/latest/APIReference/API_UpdateShardCount.html
    """
    names = ("StreamShards", "StreamMode")
    stream, wanted = stack.outputs.get("FeedbackStream"), int(values["StreamShards"])
    if not stream or values["StreamMode"] != "PROVISIONED":
        return
    if all(values[name] == stack.parameters.get(name, values[name]) for name in names):
        return
    with translated(f"reading the stream {stream}"):
        summary = missing_ok(lambda: clients.kinesis.describe_stream_summary(StreamName=stream))
    if summary is None:
        return
    shards = summary["StreamDescriptionSummary"]["OpenShardCount"]
    step = min(max(wanted, (shards + 1) // 2), shards * 2)
    if step != wanted:
        yield (
            f"StreamShards can at most double or halve in one deployment, and the stream has {shards}: deploy "
            f"StreamShards={step} first"
        )
