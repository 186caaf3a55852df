"""The settings of a process, read once from its environment where the process starts.

No other module reads the environment; region, credentials and `AWS_ENDPOINT_URL` are boto3's.
Names: docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html and
docs.aws.amazon.com/amazondynamodb/latest/developerguide/HowItWorks.NamingRulesDataTypes.html,
docs.aws.amazon.com/systems-manager/latest/userguide/sysman-paramstore-su-create.html,
docs.aws.amazon.com/firehose/latest/APIReference/API_PutRecordBatch.html,
docs.aws.amazon.com/kinesis/latest/APIReference/API_CreateStream.html
"""

import os
import re
from collections.abc import Mapping

import msgspec

from pipeline.errors import UsageError
from pipeline.policy import DEFAULT_POLICY, Policy, parse_policy

TABLE = "MAILFOLD_TABLE"
BUCKET = "MAILFOLD_BUCKET"
POLICY = "MAILFOLD_POLICY"
TABLES_PARAMETER = "MAILFOLD_TABLES_PARAMETER"
DELIVERY_STREAM = "MAILFOLD_DELIVERY_STREAM"
STREAM = "MAILFOLD_STREAM"
CHECKPOINT_SECONDS = "MAILFOLD_CHECKPOINT_SECONDS"
PATIENCE_SECONDS = "MAILFOLD_PATIENCE_SECONDS"
SERVICE = "POWERTOOLS_SERVICE_NAME"

DEFAULT_CHECKPOINT_SECONDS = 60.0  # after a crash, a minute of the stream is read again, which is harmless
DEFAULT_PATIENCE_SECONDS = 600.0  # longer than AWS usually throttles, short enough for an operator to notice

TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}", re.ASCII)
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_PARAMETER_NAME = re.compile(r"[a-zA-Z0-9_.-]+|(/[a-zA-Z0-9_.-]+){1,15}", re.ASCII)
_DELIVERY_STREAM_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}", re.ASCII)
_STREAM_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?", re.ASCII)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The settings of every process.

    Attributes:
        table: `MAILFOLD_TABLE`: the name of the suppression table, unless the parameter names another.
        bucket: `MAILFOLD_BUCKET`: the bucket of the event log and the quarantine.
        policy: `MAILFOLD_POLICY`: a policy as JSON (schemas/policy.json); if unset, the default policy.
        tables_parameter: `MAILFOLD_TABLES_PARAMETER`: the parameter that names the live table (`aws.stack`).
        delivery_stream: `MAILFOLD_DELIVERY_STREAM`: the Firehose stream into the event log, for records that the
            projector receives through SNS or SQS.
    """

    table: str
    bucket: str
    policy: Policy = DEFAULT_POLICY
    tables_parameter: str | None = None
    delivery_stream: str | None = None


class ConsumerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """Further settings of a consumer of the feedback stream that is not a Lambda.

    Attributes:
        stream: `MAILFOLD_STREAM`: the stream's name.
        checkpoint_seconds: `MAILFOLD_CHECKPOINT_SECONDS`: the least time between two checkpoints; 0 for one after
            every batch. Each checkpoint is a write to the lease table. Records that are read again change nothing.
        patience_seconds: `MAILFOLD_PATIENCE_SECONDS`: how long an outage may block a batch before the process ends,
            which makes the outage visible. The shard continues from its last checkpoint.
    """

    stream: str
    checkpoint_seconds: float = DEFAULT_CHECKPOINT_SECONDS
    patience_seconds: float = DEFAULT_PATIENCE_SECONDS


def read_settings(environment: Mapping[str, str] | None = None, *, unused: str = "") -> Settings:
    """Return the settings.

    Args:
        environment: The environment variables; None for this process's.
        unused: `MAILFOLD_TABLE` or `MAILFOLD_BUCKET`, where the process works without it. If unset, it is "".

    Raises:
        UsageError: A variable is missing or invalid. The message names every problem, not only the first.
    """
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    needed_problems = {TABLE: problems, BUCKET: problems, unused: []}
    table = _name(environment, TABLE, TABLE_NAME, "the suppression table", needed_problems[TABLE])
    bucket = _name(environment, BUCKET, _BUCKET_NAME, "the bucket of log and quarantine", needed_problems[BUCKET])
    policy = _policy(environment, problems)
    parameter = _name_if_set(environment, TABLES_PARAMETER, _PARAMETER_NAME, "a parameter", problems)
    stream = _name_if_set(environment, DELIVERY_STREAM, _DELIVERY_STREAM_NAME, "a Firehose stream", problems)
    if problems:
        raise UsageError("; ".join(problems))
    return Settings(table=table, bucket=bucket, policy=policy, tables_parameter=parameter, delivery_stream=stream)


def read_consumer_settings(environment: Mapping[str, str] | None = None) -> tuple[Settings, ConsumerSettings]:
    """Return the settings of a consumer of the stream.

    Args:
        environment: The environment variables; None for this process's.

    Raises:
        UsageError: A variable is missing or invalid. The message names every problem, not only the first.
    """
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    try:
        settings = read_settings(environment)
    except UsageError as error:
        problems.append(str(error))
    consumer = ConsumerSettings(
        stream=_name(environment, STREAM, _STREAM_NAME, "the feedback stream", problems),
        checkpoint_seconds=_seconds(environment, CHECKPOINT_SECONDS, DEFAULT_CHECKPOINT_SECONDS, problems),
        patience_seconds=_seconds(environment, PATIENCE_SECONDS, DEFAULT_PATIENCE_SECONDS, problems),
    )
    if problems:
        raise UsageError("; ".join(problems))
    return settings, consumer


NAMESPACE = "Mailfold"  # of all metrics in CloudWatch


def service_name(default: str) -> str:
    """Return the name of a Lambda in its log, and in the dimension of its metrics.

    Args:
        default: The name if `POWERTOOLS_SERVICE_NAME` is unset, as outside a deployment.
    """
    return os.environ.get(SERVICE) or default


def _name(
    environment: Mapping[str, str], variable: str, form: re.Pattern[str], meaning: str, problems: list[str]
) -> str:
    value = _name_if_set(environment, variable, form, meaning, problems)
    if value is None:
        problems.append(f"{variable} is not set: it names {meaning}")
    return value or ""


def _name_if_set(
    environment: Mapping[str, str], variable: str, form: re.Pattern[str], meaning: str, problems: list[str]
) -> str | None:
    value = environment.get(variable) or None
    if value and not form.fullmatch(value):
        problems.append(f"{variable} is not a name that AWS allows for {meaning}: {value!r}")
    return value


def _seconds(environment: Mapping[str, str], variable: str, default: float, problems: list[str]) -> float:
    value = environment.get(variable, "")
    if value and not _SECONDS.fullmatch(value):
        problems.append(f"{variable} is not a number of seconds: {value!r}")
        return default
    return float(value or default)


def _policy(environment: Mapping[str, str], problems: list[str]) -> Policy:
    document = environment.get(POLICY, "")
    if not document:
        return DEFAULT_POLICY
    try:
        return parse_policy(document.encode())
    except UsageError as error:
        problems.append(f"{POLICY} is {error}")
        return DEFAULT_POLICY
