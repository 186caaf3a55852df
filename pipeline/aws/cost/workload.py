"""How much is sent, and how: what a month's usage is worked out from.

The regions in which SES sends.
"""

from enum import StrEnum

import msgspec

from pipeline.errors import UsageError

SERVICE = "email"  # SES, in the names of its endpoints
PARTITIONS = ("aws", "aws-us-gov")  # where prices are in dollars


def check_region(name: str) -> None:
    """Return if SES sends in a region, as far as this botocore knows; nobody is asked.

    Raises:
        UsageError: It does not, or there is no such region.
    """
    from botocore.loaders import Loader  # noqa: PLC0415 - boto3 takes a third of a second
    from botocore.regions import EndpointResolver  # noqa: PLC0415 - the same

    resolver = EndpointResolver(Loader().load_data("endpoints"))  # no session: it would read the user's profile
    known = {region for partition in PARTITIONS for region in resolver.get_available_endpoints(SERVICE, partition)}
    if name not in known:
        raise UsageError(
            f"no region in which SES sends: {name!r}; one is {min(known, key=lambda one: _distance(one, name))}"
        )


def _distance(one: str, other: str) -> float:
    from difflib import SequenceMatcher  # noqa: PLC0415 - only for who mistyped

    return 1 - SequenceMatcher(a=one, b=other).ratio()


HOURS_PER_MONTH = 730  # as AWS's own calculator has it: a twelfth of 8,760
DAYS_PER_MONTH = HOURS_PER_MONTH / 24
SECONDS_PER_MONTH = HOURS_PER_MONTH * 3_600

# Sent, then delivered or bounced; and with engagement three opens or clicks of ten e-mails.
EVENTS_PER_EMAIL, EVENTS_PER_TRACKED_EMAIL = 2.0, 2.3
EVENT_BYTES = 2_200  # SES's JSON with a dozen headers; up to 5 KB the price is the same

RECORDS_PER_SHARD_SECOND = 1_000  # docs.aws.amazon.com/streams/latest/dev/service-sizes-and-limits.html
PEAK = 3.0  # the busiest hour, of the mean


class StreamMode(StrEnum):
    """Who sees to the feedback stream's capacity; the template's `StreamMode`."""

    PROVISIONED = "PROVISIONED"
    ON_DEMAND = "ON_DEMAND"


class ConsumerMode(StrEnum):
    """Who reads the feedback stream; the template's `Consumer`."""

    LAMBDA = "lambda"
    CONTAINER = "container"
    ELSEWHERE = "elsewhere"


class Workload(msgspec.Struct, frozen=True, kw_only=True):
    """What is sent, what becomes of it, and the parameters of the template that cost.

    Attributes:
        emails_per_day: E-mails, each to one recipient.
        events_per_email: SES's events of each, feedback included.
        feedback_percent: Of a hundred e-mails, those that bounce or are complained of.
        lookups_per_email: How often senders ask the table.
        event_bytes: One event, as SES sends it.
        stream_mode: The template's `StreamMode`.
        stream_shards: The template's `StreamShards`; None: as many as the busiest hour needs.
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
        busiest = PEAK * self.feedback / SECONDS_PER_MONTH
        return self.stream_shards or max(1, -int(-busiest // RECORDS_PER_SHARD_SECOND))
