"""Usage of everything that AWS charges for, in the first and in the twelfth month of a deployment.

A quantity that grows is taken at the middle of the month. The pages that prices.json names explain how AWS bills;
infra/mailfold.yaml defines how the stack uses each service.
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
TB = 10**12  # of Athena
MONTHS = (0.5, 11.5)  # months until the middle of the first, and of the twelfth

FIREHOSE_STEP_BYTES = 5 * KB
LOG_BUFFER_SECONDS, LOG_BUFFER_BYTES = 900, 128 * MB  # the template's defaults
TRANSFORM_BUFFER_SECONDS, TRANSFORM_BUFFER_BYTES = 60, 1 * MB
FUNCTION_GB = 0.5
# With a third of a processor, Lambda's share for 512 MB.
TRANSFORM_SECONDS_PER_EVENT, PROJECTOR_SECONDS_PER_RECORD = 0.002, 0.01
SECONDS_PER_CALL = 0.05

PARQUET_SHARE = 0.2  # of SES's bytes; generated mail takes half of that
REQUESTS_PER_OBJECT = 4  # create, one or two parts, complete
TRANSITION_DAYS = 30  # the template's default
# A drill reads every object each week, so Intelligent-Tiering, from the transition on, keeps all in the frequent tier.
TIERS = (("s3_standard", 0, TRANSITION_DAYS), ("s3_tiering_frequent", TRANSITION_DAYS, inf))

ENVELOPE_BYTES = 400  # EventBridge's envelope around an event of SES
EVENTBRIDGE_STEP_BYTES, KINESIS_PUT_BYTES, KINESIS_STEP_BYTES = 64 * KB, 25 * KB, 1 * KB
RECORDS_PER_CALL, CALL_WINDOW_SECONDS, CALLS_PER_SHARD = 1_000, 1, 10
LONG_RETENTION_DAYS = 7

CONSUMER_VCPUS, CONSUMER_GB = 0.25, 1.0  # the template's smallest task
# The Kinesis Client Library renews each lease three times in `failoverTimeMillis`, writes metrics of each worker twice
# a minute, and reads about as often as it writes. docs.aws.amazon.com/streams/latest/dev/kcl-dynamoDB.html
LEASE_SECONDS, WORKER_SECONDS = 10 / 3, 30

WRITES_PER_RECORD = 2  # an item with its evidence has one to two kilobytes
ITEM_BYTES = 1_500

RECONCILER_GB = 1_769 / 1_024
RECONCILE_SECONDS, DRILL_SECONDS_PER_ITEM = 30, 0.0002  # a drill compares five thousand items a second
DRILLS_PER_MONTH = DAYS_PER_MONTH / 7
READ_STEP_BYTES = 4 * KB
QUERIES_PER_RECONCILIATION, QUERY_MIN_BYTES = 3, 10_000_000  # Athena bills at least so much
FACT_BYTES = 300  # of a record with feedback, in the columns that a fold reads

ALARM_METRICS = 33  # of the template's alarms, without a notification topic
MAPPING_ALARMS = 3  # those that exist only if Lambda reads the stream
TRANSFORM_METRICS, PROJECTOR_METRICS = 13, 10  # ten types and three more; bounces, complaints and eight more
CONSUMER_METRICS = 2  # lag and checkpoint age of each shard, once a minute
MAPPING_METRICS = 6  # EventCount: docs.aws.amazon.com/lambda/latest/dg/monitoring-metrics-types.html
LOG_BYTES_PER_CALL = 1_200  # metrics as JSON, and Lambda's own three lines

# One every 5 minutes for rule and mapping, the callers at the stream. The table's key belongs to DynamoDB and is free.
# docs.aws.amazon.com/streams/latest/dev/costs-performance.html
KEY_REQUESTS = 2 * 12 * HOURS_PER_MONTH


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Monthly usage of something that has one price.

    Attributes:
        part: Part of Mailfold that uses it.
        price: Name of the price.
        first: Units in the first month.
        twelfth: Units in the twelfth.
    """

    part: str
    price: str
    first: float
    twelfth: float


def usages(workload: Workload) -> tuple[Usage, ...]:
    """Return everything that a stack with the template's defaults uses, in the order in which mail passes it."""
    mail = (*_log_usage(workload), *_feedback_usage(workload), *_table_usage(workload))
    return (*mail, *_comparison_usage(workload), *_monitoring_usage(workload))


def rounded_bytes(size_bytes: int, step_bytes: int) -> int:
    """Return the billed size of a record: its size, rounded up to whole steps."""
    return ceil(size_bytes / step_bytes) * step_bytes


def _log_usage(workload: Workload) -> Iterator[Usage]:
    gigabytes = workload.events * rounded_bytes(workload.event_bytes, FIREHOSE_STEP_BYTES) / GB
    yield _steady("log: Firehose, ingestion", "firehose_ingestion", gigabytes)
    yield _steady("log: Firehose, to Parquet", "firehose_conversion", gigabytes)
    calls = _transform_calls(workload)
    yield from _function("log: transform", calls, workload.events * TRANSFORM_SECONDS_PER_EVENT)
    objects = _batches(workload.events, workload.event_bytes, LOG_BUFFER_SECONDS, LOG_BUFFER_BYTES)
    yield _steady("log: S3, requests", "s3_put", objects * REQUESTS_PER_OBJECT)
    yield from _storage(workload.events * workload.event_bytes * PARQUET_SHARE / GB, objects)


def _storage(gigabytes: float, objects: float) -> Iterator[Usage]:
    """Yield the storage of a log that grows by so much a month."""
    part = "log: S3, storage"
    for tier, youngest, oldest in TIERS:
        yield _growing(part, tier, gigabytes, youngest_days=youngest, oldest_days=oldest)
    yield _growing(part, "s3_tiering_monitoring", objects, youngest_days=TRANSITION_DAYS)
    yield Usage(part=part, price="s3_tiering_transition", first=0, twelfth=objects)


def _feedback_usage(workload: Workload) -> Iterator[Usage]:
    size_bytes = workload.event_bytes + ENVELOPE_BYTES
    events = workload.feedback * ceil(size_bytes / EVENTBRIDGE_STEP_BYTES)
    yield _steady("feedback: EventBridge", "eventbridge_event", events)
    stream = _provisioned if workload.stream_mode is StreamMode.PROVISIONED else _on_demand
    yield from stream(workload, size_bytes)
    yield from (_projector if workload.consumer is ConsumerMode.LAMBDA else _consumer)(workload)


def _projector(workload: Workload) -> Iterator[Usage]:
    yield from _function(
        "feedback: projector", _projector_calls(workload), workload.feedback * PROJECTOR_SECONDS_PER_RECORD
    )


def _consumer(workload: Workload) -> Iterator[Usage]:
    if workload.consumer is ConsumerMode.CONTAINER:
        hours = workload.consumer_tasks * HOURS_PER_MONTH
        yield _steady("feedback: consumer", "fargate_arm_vcpu_hour", hours * CONSUMER_VCPUS)
        yield _steady("feedback: consumer", "fargate_arm_gb_hour", hours * CONSUMER_GB)
    writes = (workload.shards / LEASE_SECONDS + workload.consumer_tasks / WORKER_SECONDS) * SECONDS_PER_MONTH
    for price in ("dynamodb_write", "dynamodb_read"):
        yield _steady("feedback: leases", price, writes)


def _provisioned(workload: Workload, size_bytes: int) -> Iterator[Usage]:
    hours, days = workload.shards * HOURS_PER_MONTH, workload.stream_retention_days
    yield _steady("feedback: Kinesis", "kinesis_shard_hour", hours)
    yield _steady("feedback: Kinesis", "kinesis_put", workload.feedback * ceil(size_bytes / KINESIS_PUT_BYTES))
    yield _steady("feedback: Kinesis, retention", "kinesis_retention_shard_hour", hours if days > 1 else 0)
    yield _retained(workload, size_bytes, "kinesis_long_retention", LONG_RETENTION_DAYS, days)


def _on_demand(workload: Workload, size_bytes: int) -> Iterator[Usage]:
    gigabytes, days = _stream_gigabytes(workload, size_bytes), workload.stream_retention_days
    yield _steady("feedback: Kinesis", "kinesis_stream_hour", HOURS_PER_MONTH)
    yield _steady("feedback: Kinesis", "kinesis_in", gigabytes)
    yield _steady("feedback: Kinesis", "kinesis_out", gigabytes)
    yield _retained(workload, size_bytes, "kinesis_retention", 1, min(days, LONG_RETENTION_DAYS))
    yield _retained(workload, size_bytes, "kinesis_long_retention", LONG_RETENTION_DAYS, days)


def _retained(workload: Workload, size_bytes: int, price: str, after_days: int, until_days: int) -> Usage:
    """Return the data of that age in a stream that has run for longer than its retention."""
    gigabytes = _stream_gigabytes(workload, size_bytes) * max(0, until_days - after_days) / DAYS_PER_MONTH
    return _steady("feedback: Kinesis, retention", price, gigabytes)


def _stream_gigabytes(workload: Workload, size_bytes: int) -> float:
    return workload.feedback * rounded_bytes(size_bytes, KINESIS_STEP_BYTES) / GB


def _table_usage(workload: Workload) -> Iterator[Usage]:
    yield _steady("table: DynamoDB, writes", "dynamodb_write", workload.feedback * WRITES_PER_RECORD)
    yield _steady("table: DynamoDB, writes", "dynamodb_read", workload.feedback)  # each write is preceded by a read
    gigabytes = workload.feedback * ITEM_BYTES / GB  # each at another address
    for price in ("dynamodb_storage", "dynamodb_recovery"):
        yield _growing("table: DynamoDB, storage", price, gigabytes)
    yield _steady("senders: look-ups", "dynamodb_read", workload.emails * workload.lookups_per_email)


def _comparison_usage(workload: Workload) -> Iterator[Usage]:
    """Yield a reconciliation every day and a drill every week, which reads all that there is."""
    part, compared = "comparison of log and table", workload.feedback * DRILLS_PER_MONTH
    seconds = DAYS_PER_MONTH * RECONCILE_SECONDS
    yield _steady(part, "lambda_arm_second", seconds * RECONCILER_GB)
    yield _growing(part, "lambda_arm_second", compared * DRILL_SECONDS_PER_ITEM * RECONCILER_GB)
    yield _growing(part, "dynamodb_read", compared * rounded_bytes(ITEM_BYTES, READ_STEP_BYTES) / READ_STEP_BYTES)
    yield _steady(part, "athena_scan", DAYS_PER_MONTH * QUERIES_PER_RECONCILIATION * QUERY_MIN_BYTES / TB)
    yield _growing(part, "athena_scan", compared * FACT_BYTES / TB)


def _monitoring_usage(workload: Workload) -> Iterator[Usage]:
    alarms = ALARM_METRICS if workload.consumer is ConsumerMode.LAMBDA else ALARM_METRICS - MAPPING_ALARMS
    yield _steady("monitoring: alarms", "cloudwatch_alarm", alarms)
    yield _steady("monitoring: metrics", "cloudwatch_metric", _metric_months(workload))
    yield _steady("monitoring: dashboard", "cloudwatch_dashboard", 1)
    gigabytes = (_transform_calls(workload) + _projector_log_entries(workload)) * LOG_BYTES_PER_CALL / GB
    yield _steady("monitoring: logs", "cloudwatch_ingestion", gigabytes)
    yield Usage(part="monitoring: logs", price="cloudwatch_archive", first=gigabytes / 2, twelfth=gigabytes)
    yield _steady("keys: KMS", "kms_request", KEY_REQUESTS)


def _metric_months(workload: Workload) -> float:
    """Return the number of metrics, each weighted by the share of hours in which it is published."""
    transform = TRANSFORM_METRICS * _hours_share(_transform_calls(workload))
    projector_hours = _hours_share(_projector_calls(workload))
    match workload.consumer:
        case ConsumerMode.LAMBDA:
            return transform + (PROJECTOR_METRICS + MAPPING_METRICS) * projector_hours
        case ConsumerMode.CONTAINER:
            return transform + PROJECTOR_METRICS * projector_hours + CONSUMER_METRICS
        case ConsumerMode.ELSEWHERE:
            return transform


def _projector_log_entries(workload: Workload) -> float:
    """Return the number of log entries. A container also logs each shard once a minute."""
    match workload.consumer:
        case ConsumerMode.LAMBDA:
            return _projector_calls(workload)
        case ConsumerMode.CONTAINER:
            return _projector_calls(workload) + workload.shards * SECONDS_PER_MONTH / 60
        case ConsumerMode.ELSEWHERE:
            return 0


def _transform_calls(workload: Workload) -> float:
    return _batches(workload.events, workload.event_bytes, TRANSFORM_BUFFER_SECONDS, TRANSFORM_BUFFER_BYTES)


def _projector_calls(workload: Workload) -> float:
    """Return the number of calls. Each of the concurrent batches of a shard is closed after its own window."""
    windows = CALLS_PER_SHARD * workload.shards * SECONDS_PER_MONTH / CALL_WINDOW_SECONDS
    return min(workload.feedback, max(windows, workload.feedback / RECORDS_PER_CALL))


def _batches(records: float, record_bytes: int, seconds: float, size_bytes: int) -> float:
    """Return the number of batches in a month, each closed after some time or at some size."""
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
    """Return the amount of that age in the middle of the first and twelfth month, for a monthly growth."""
    first, twelfth = (
        units_per_month / DAYS_PER_MONTH * max(0, min(oldest_days, months * DAYS_PER_MONTH) - youngest_days)
        for months in MONTHS
    )
    return Usage(part=part, price=price, first=first, twelfth=twelfth)
