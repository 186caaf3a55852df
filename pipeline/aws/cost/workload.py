"""Workload of a deployment: mail volume and settings, from which a month's usage is calculated."""

from difflib import get_close_matches
from enum import StrEnum
from math import ceil

import msgspec

from pipeline.errors import UsageError

HOURS_PER_MONTH = 730  # as in AWS's calculator: a twelfth of 8,760
DAYS_PER_MONTH = HOURS_PER_MONTH / 24
SECONDS_PER_MONTH = HOURS_PER_MONTH * 3_600

# A send, and a delivery or bounce; with engagement tracking also three opens or clicks of ten e-mails.
EVENTS_PER_EMAIL, EVENTS_PER_TRACKED_EMAIL = 2.0, 2.3
EVENT_BYTES = 2_200  # SES's JSON with a dozen headers; the price is the same up to 5 KB

RECORDS_PER_SHARD_SECOND = 1_000  # docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
# Firehose's default quota for direct PUT, in bytes per second: docs.aws.amazon.com/firehose/latest/dev/limits.html
FIREHOSE_QUOTA_BYTES, LARGE_FIREHOSE_QUOTA_BYTES = 1 << 20, 5 << 20
LARGE_FIREHOSE_REGIONS = frozenset({"eu-west-1", "us-east-1", "us-west-2"})
PEAK = 3.0  # events of the busiest hour, as a multiple of the mean

SES_ENDPOINT = "email"  # SES, in the names of its endpoints
PARTITIONS = ("aws", "aws-us-gov")  # whose prices are in dollars


class StreamMode(StrEnum):
    """Capacity mode of the feedback stream; the template's `StreamMode`."""

    PROVISIONED = "PROVISIONED"
    ON_DEMAND = "ON_DEMAND"


class ConsumerMode(StrEnum):
    """Consumer of the feedback stream; the template's `Consumer`."""

    LAMBDA = "lambda"
    CONTAINER = "container"
    ELSEWHERE = "elsewhere"


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """Mail volume, shares of event types, and the template parameters that affect cost.

    Attributes:
        emails_per_day: E-mails, each to one recipient.
        events_per_email: Events of SES for each e-mail, including feedback.
        feedback_percent: Percentage of e-mails that bounce or cause a complaint.
        lookups_per_email: Reads of the suppression table by senders.
        event_bytes: Size of an event as SES sends it.
        stream_mode: The template's `StreamMode`.
        stream_shards: The template's `StreamShards`. None: enough for the busiest hour.
        stream_retention_days: The template's `StreamRetentionDays`.
        consumer: The template's `Consumer`.
        consumer_tasks: The template's `ConsumerTasks`.
    """

    emails_per_day: int
    events_per_email: float = EVENTS_PER_TRACKED_EMAIL
    feedback_percent: float = 2.0
    lookups_per_email: float = 1.0
    event_bytes: int = EVENT_BYTES
    stream_mode: StreamMode = StreamMode.PROVISIONED
    stream_shards: int | None = None
    stream_retention_days: int = 7
    consumer: ConsumerMode = ConsumerMode.LAMBDA
    consumer_tasks: int = 1

    @property
    def emails(self) -> float:
        """E-mails in a month."""
        return self.emails_per_day * DAYS_PER_MONTH

    @property
    def events(self) -> float:
        """Events in a month."""
        return self.emails * self.events_per_email

    @property
    def feedback(self) -> float:
        """Bounces and complaints in a month."""
        return self.emails * self.feedback_percent / 100

    @property
    def shards(self) -> int:
        """Shards of the feedback stream."""
        peak_per_second = PEAK * self.feedback / SECONDS_PER_MONTH
        return self.stream_shards or max(1, ceil(peak_per_second / RECORDS_PER_SHARD_SECOND))

    @property
    def peak_bytes_per_second(self) -> float:
        """Bytes that SES puts into Firehose in a second of the busiest hour."""
        return PEAK * self.events * self.event_bytes / SECONDS_PER_MONTH


def firehose_quota_bytes(region: str) -> int:
    """Return the bytes per second that a Firehose stream accepts in a region, unless AWS has raised its quota."""
    return LARGE_FIREHOSE_QUOTA_BYTES if region in LARGE_FIREHOSE_REGIONS else FIREHOSE_QUOTA_BYTES


def check_region(name: str) -> None:
    """Check that SES sends from a region, according to botocore's data. Makes no request.

    Raises:
        UsageError: SES does not send from that region, or the region does not exist.
    """
    from botocore.loaders import Loader  # noqa: PLC0415 - loads botocore, which only this check needs
    from botocore.regions import EndpointResolver  # noqa: PLC0415 - the same

    resolver = EndpointResolver(Loader().load_data("endpoints"))  # a session would read the user's profile
    regions = {
        region for partition in PARTITIONS for region in resolver.get_available_endpoints(SES_ENDPOINT, partition)
    }
    if name not in regions:
        [closest] = get_close_matches(name, regions, n=1, cutoff=0)
        raise UsageError(f"SES does not send from the region {name!r}: did you mean {closest}?")
