"""What a month uses of everything that AWS charges for, in the first month and in the twelfth.

What grows is taken as it stands in the middle of the month. How things are billed is said on the pages that
prices.json names; how the stack uses them, in infra/mailfold.yaml.
"""

from collections.abc import Iterator
from math import ceil, inf

import msgspec

from pipeline.aws.cost.workload import (
    DAYS_PER_MONTH,
    HOURS_PER_MONTH,
    SECONDS_PER_MONTH,
    ConsumerMode,
    StreamMode,
    Workload,
)

KB, MB, GB = 2**10, 2**20, 2**30
MONTHS = (0.5, 11.5)  # the middle of the first, and of the twelfth

FIREHOSE_STEP_BYTES = 5 * KB
LOG_BUFFER_SECONDS, LOG_BUFFER_BYTES = 900, 128 * MB  # the template's defaults
TRANSFORM_BUFFER_SECONDS, TRANSFORM_BUFFER_BYTES = 60, 1 * MB
FUNCTION_GB = 0.5
TRANSFORM_SECONDS_PER_EVENT, PROJECTOR_SECONDS_PER_RECORD = 0.002, 0.01  # on a third of a processor, which 512 MB are
SECONDS_PER_CALL = 0.05

PARQUET_SHARE = 0.2  # of SES's bytes; made-up mail takes half of that
REQUESTS_PER_OBJECT = 4  # begin, one part or two, complete
TRANSITION_DAYS = 30  # the template's default
# Intelligent-Tiering begins with the transition; nothing reads what is older.
TIERS = (
    ("s3_standard", 0, TRANSITION_DAYS),
    ("s3_tiering_frequent", TRANSITION_DAYS, TRANSITION_DAYS + 30),
    ("s3_tiering_infrequent", TRANSITION_DAYS + 30, TRANSITION_DAYS + 90),
    ("s3_tiering_archive_instant", TRANSITION_DAYS + 90, inf),
)

ENVELOPE_BYTES = 400  # EventBridge's, around an event of SES
EVENTBRIDGE_STEP_BYTES, KINESIS_PUT_BYTES, KINESIS_STEP_BYTES = 64 * KB, 25 * KB, 1 * KB
RECORDS_PER_CALL, CALL_WINDOW_SECONDS = 100, 1
LONG_RETENTION_DAYS = 7

CONSUMER_VCPUS, CONSUMER_GB = 0.25, 1.0  # the template's smallest task
# The Kinesis Client Library renews each lease three times in `failoverTimeMillis`, tells of each worker twice a minute,
# and reads about as often as it writes. docs.aws.amazon.com/streams/latest/dev/kcl-dynamoDB.html
LEASE_SECONDS, WORKER_SECONDS = 10 / 3, 30

WRITES_PER_RECORD = 2  # an item with its history is one to two kilobytes
ITEM_BYTES = 1_500

ALARM_METRICS = 23  # of the template's alarms, without a notification topic
MAPPING_ALARMS = 2  # of them only where Lambda reads the stream
TRANSFORM_METRICS, PROJECTOR_METRICS = 12, 9  # ten types, Dropped, Failed; bounces, complaints and seven counts
CONSUMER_METRICS = 2  # how late each shard is, and its checkpoint, once a minute
MAPPING_METRICS = 6  # EventCount: docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
LOG_BYTES_PER_CALL = 1_200  # counts as JSON, and Lambda's own three lines

# One each 5 minutes for whoever calls: rule and mapping at the stream, projector and senders at the table.
# docs.aws.amazon.com/streams/latest/dev/costs-performance.html and
# docs.aws.amazon.com/amazondynamodb/latest/developerguide/encryption.usagenotes.html
KEY_REQUESTS = 4 * 12 * HOURS_PER_MONTH


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """How much a month uses of what has one price.

    Attributes:
        part: The part of Mailfold that uses it.
        price: The price's name.
        first: Units in the first month.
        twelfth: Units in the twelfth.
    """

    part: str
    price: str
    first: float
    twelfth: float


def usages(load: Workload) -> tuple[Usage, ...]:
    """Return everything that a stack with the template's defaults uses, in the order of the mail's way."""
    return (*_log(load), *_feedback(load), *_table(load), *_watch(load))


def rounded_bytes(size_bytes: int, step_bytes: int) -> int:
    """Return what a record is billed as: its size, rounded up to whole steps."""
    return ceil(size_bytes / step_bytes) * step_bytes


def _log(load: Workload) -> Iterator[Usage]:
    gigabytes = load.events * rounded_bytes(load.event_bytes, FIREHOSE_STEP_BYTES) / GB
    yield _steady("log: Firehose, ingestion", "firehose_ingestion", gigabytes)
    yield _steady("log: Firehose, to Parquet", "firehose_conversion", gigabytes)
    calls = _transform_calls(load)
    yield from _function("log: transform", calls, load.events * TRANSFORM_SECONDS_PER_EVENT)
    objects = _batches(load.events, load.event_bytes, LOG_BUFFER_SECONDS, LOG_BUFFER_BYTES)
    yield _steady("log: S3, requests", "s3_put", objects * REQUESTS_PER_OBJECT)
    yield from _storage(load.events * load.event_bytes * PARQUET_SHARE / GB, objects)


def _storage(gigabytes: float, objects: float) -> Iterator[Usage]:
    """Give what the log takes, which grows by so much a month."""
    part = "log: S3, storage"
    for tier, youngest, oldest in TIERS:
        yield _growing(part, tier, gigabytes, youngest_days=youngest, oldest_days=oldest)
    yield _growing(part, "s3_tiering_monitoring", objects, youngest_days=TRANSITION_DAYS)
    yield Usage(part=part, price="s3_tiering_transition", first=0, twelfth=objects)


def _feedback(load: Workload) -> Iterator[Usage]:
    size_bytes = load.event_bytes + ENVELOPE_BYTES
    events = load.feedback * ceil(size_bytes / EVENTBRIDGE_STEP_BYTES)
    yield _steady("feedback: EventBridge", "eventbridge_event", events)
    stream = _provisioned if load.stream_mode is StreamMode.PROVISIONED else _on_demand
    yield from stream(load, size_bytes)
    yield from (_projector if load.consumer is ConsumerMode.LAMBDA else _consumer)(load)


def _projector(load: Workload) -> Iterator[Usage]:
    yield from _function("feedback: projector", _projector_calls(load), load.feedback * PROJECTOR_SECONDS_PER_RECORD)


def _consumer(load: Workload) -> Iterator[Usage]:
    if load.consumer is ConsumerMode.CONTAINER:
        hours = load.consumer_tasks * HOURS_PER_MONTH
        yield _steady("feedback: consumer", "fargate_arm_vcpu_hour", hours * CONSUMER_VCPUS)
        yield _steady("feedback: consumer", "fargate_arm_gb_hour", hours * CONSUMER_GB)
    writes = (load.shards / LEASE_SECONDS + load.consumer_tasks / WORKER_SECONDS) * SECONDS_PER_MONTH
    for price in ("dynamodb_write", "dynamodb_read"):
        yield _steady("feedback: leases", price, writes)


def _provisioned(load: Workload, size_bytes: int) -> Iterator[Usage]:
    hours, days = load.shards * HOURS_PER_MONTH, load.stream_retention_days
    yield _steady("feedback: Kinesis", "kinesis_shard_hour", hours)
    yield _steady("feedback: Kinesis", "kinesis_put", load.feedback * ceil(size_bytes / KINESIS_PUT_BYTES))
    yield _steady("feedback: Kinesis, retention", "kinesis_retention_shard_hour", hours if days > 1 else 0)
    yield _kept(load, size_bytes, "kinesis_long_retention", LONG_RETENTION_DAYS, days)


def _on_demand(load: Workload, size_bytes: int) -> Iterator[Usage]:
    gigabytes, days = load.feedback * rounded_bytes(size_bytes, KINESIS_STEP_BYTES) / GB, load.stream_retention_days
    yield _steady("feedback: Kinesis", "kinesis_stream_hour", HOURS_PER_MONTH)
    yield _steady("feedback: Kinesis", "kinesis_in", gigabytes)
    yield _steady("feedback: Kinesis", "kinesis_out", gigabytes)
    yield _kept(load, size_bytes, "kinesis_retention", 1, min(days, LONG_RETENTION_DAYS))
    yield _kept(load, size_bytes, "kinesis_long_retention", LONG_RETENTION_DAYS, days)


def _kept(load: Workload, size_bytes: int, price: str, after_days: int, until_days: int) -> Usage:
    """Return what the stream keeps of that age, once it has run for long enough."""
    gigabytes = load.feedback * rounded_bytes(size_bytes, KINESIS_STEP_BYTES) / GB
    kept = gigabytes * max(0, until_days - after_days) / DAYS_PER_MONTH
    return _steady("feedback: Kinesis, retention", price, kept)


def _table(load: Workload) -> Iterator[Usage]:
    yield _steady("table: DynamoDB, writes", "dynamodb_write", load.feedback * WRITES_PER_RECORD)
    yield _steady("table: DynamoDB, writes", "dynamodb_read", load.feedback)  # each is read before
    gigabytes = load.feedback * ITEM_BYTES / GB  # as if none came twice from one address
    for price in ("dynamodb_storage", "dynamodb_recovery"):
        yield _growing("table: DynamoDB, storage", price, gigabytes)
    yield _steady("senders: look-ups", "dynamodb_read", load.emails * load.lookups_per_email)


def _watch(load: Workload) -> Iterator[Usage]:
    mapped = load.consumer is ConsumerMode.LAMBDA
    yield _steady("watch: alarms", "cloudwatch_alarm", ALARM_METRICS if mapped else ALARM_METRICS - MAPPING_ALARMS)
    yield _steady("watch: counts", "cloudwatch_metric", _metrics(load))
    yield _steady("watch: dashboard", "cloudwatch_dashboard", 1)
    gigabytes = (_transform_calls(load) + _projector_lines(load)) * LOG_BYTES_PER_CALL / GB
    yield _steady("watch: logs", "cloudwatch_ingestion", gigabytes)
    yield Usage(part="watch: logs", price="cloudwatch_archive", first=gigabytes / 2, twelfth=gigabytes)
    yield _steady("keys: KMS", "kms_request", KEY_REQUESTS)


def _metrics(load: Workload) -> float:
    """Return how many metrics are heard of; each is charged for the hours in which it is."""
    metrics = TRANSFORM_METRICS * _hours_share(_transform_calls(load))
    projected = _hours_share(_projector_calls(load))
    match load.consumer:
        case ConsumerMode.LAMBDA:
            return metrics + (PROJECTOR_METRICS + MAPPING_METRICS) * projected
        case ConsumerMode.CONTAINER:
            return metrics + PROJECTOR_METRICS * projected + CONSUMER_METRICS
        case ConsumerMode.ELSEWHERE:
            return metrics


def _projector_lines(load: Workload) -> float:
    """Return how often something is logged of a batch; a container tells of each shard once a minute besides."""
    match load.consumer:
        case ConsumerMode.LAMBDA:
            return _projector_calls(load)
        case ConsumerMode.CONTAINER:
            return _projector_calls(load) + load.shards * SECONDS_PER_MONTH / 60
        case ConsumerMode.ELSEWHERE:
            return 0


def _transform_calls(load: Workload) -> float:
    return _batches(load.events, load.event_bytes, TRANSFORM_BUFFER_SECONDS, TRANSFORM_BUFFER_BYTES)


def _projector_calls(load: Workload) -> float:
    return min(load.feedback, max(SECONDS_PER_MONTH / CALL_WINDOW_SECONDS, load.feedback / RECORDS_PER_CALL))


def _batches(records: float, record_bytes: int, seconds: float, size_bytes: int) -> float:
    """Return how many batches a month's records make, each full after some time or at some size."""
    return min(records, max(SECONDS_PER_MONTH / seconds, records * record_bytes / size_bytes))


def _function(part: str, calls: float, seconds: float) -> Iterator[Usage]:
    yield _steady(part, "lambda_request", calls)
    yield _steady(part, "lambda_arm_second", (seconds + calls * SECONDS_PER_CALL) * FUNCTION_GB)


def _hours_share(calls: float) -> float:
    return min(1.0, calls / HOURS_PER_MONTH)


def _steady(part: str, price: str, units: float) -> Usage:
    return Usage(part=part, price=price, first=units, twelfth=units)


def _growing(
    part: str, price: str, units_per_month: float, *, youngest_days: float = 0, oldest_days: float = inf
) -> Usage:
    """Return how much there is of that age in the middle of each month, of what grows by so much a month."""
    first, twelfth = (
        units_per_month / DAYS_PER_MONTH * max(0, min(oldest_days, months * DAYS_PER_MONTH) - youngest_days)
        for months in MONTHS
    )
    return Usage(part=part, price=price, first=first, twelfth=twelfth)
