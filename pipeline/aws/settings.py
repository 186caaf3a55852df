"""What the environment says, read once where a process starts.

The only place here that knows the environment. Region, credentials and `AWS_ENDPOINT_URL` are boto3's own affair.
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

DEFAULT_CHECKPOINT_SECONDS = 60.0  # what is read again after a crash is a minute of a stream, and harmless
DEFAULT_PATIENCE_SECONDS = 600.0  # longer than AWS's usual throttling; shorter than anybody should wait to be told

TABLE_NAME = re.compile(r"[a-zA-Z0-9_.-]{3,255}", re.ASCII)
_BUCKET_NAME = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", re.ASCII)
_PARAMETER_NAME = re.compile(r"[a-zA-Z0-9_.-]+|(/[a-zA-Z0-9_.-]+){1,15}", re.ASCII)
_DELIVERY_STREAM_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,64}", re.ASCII)
_STREAM_NAME = re.compile(r"[a-zA-Z0-9_.-]{1,128}", re.ASCII)
_SECONDS = re.compile(r"[0-9]{1,6}(\.[0-9]{1,3})?", re.ASCII)


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """Where the pipeline keeps things, and by which policy it judges.

    Attributes:
        table: `MAILFOLD_TABLE`: the suppression table's name, where no parameter says otherwise.
        bucket: `MAILFOLD_BUCKET`: the bucket that holds the log and the quarantine.
        policy: `MAILFOLD_POLICY`: a policy as JSON (schemas/policy.json); the default one where unset.
        tables_parameter: `MAILFOLD_TABLES_PARAMETER`: the parameter that says which table is live (`aws.tables`).
        delivery_stream: `MAILFOLD_DELIVERY_STREAM`: the Firehose stream by which the log gets what the projector got by
            SNS or SQS.
    """

    table: str
    bucket: str
    policy: Policy = DEFAULT_POLICY
    tables_parameter: str | None = None
    delivery_stream: str | None = None


class ConsumerSettings(msgspec.Struct, frozen=True, kw_only=True):
    """What a consumer of the feedback stream needs, where no Lambda reads it.

    Attributes:
        stream: `MAILFOLD_STREAM`: the stream's name.
        checkpoint_seconds: `MAILFOLD_CHECKPOINT_SECONDS`: how long lies between two checkpoints, at least. Each is a
            write to the lease table, and what is read again for want of one changes nothing. 0: after every batch.
        patience_seconds: `MAILFOLD_PATIENCE_SECONDS`: how long an outage may hold up a batch before the process ends,
            so that whatever runs it sees that something is wrong. The shard goes on from its last checkpoint.
    """

    stream: str
    checkpoint_seconds: float = DEFAULT_CHECKPOINT_SECONDS
    patience_seconds: float = DEFAULT_PATIENCE_SECONDS


def read_settings(environment: Mapping[str, str] | None = None) -> Settings:
    """Return what the environment says.

    Args:
        environment: None: this process's own.

    Raises:
        UsageError: Something is missing or wrong; its text names every problem there is, not only the first.
    """
    environment = os.environ if environment is None else environment
    problems: list[str] = []
    table = _name(environment, TABLE, TABLE_NAME, "the suppression table", problems)
    bucket = _name(environment, BUCKET, _BUCKET_NAME, "the bucket of log and quarantine", problems)
    policy = _policy(environment, problems)
    parameter = _name_if_set(environment, TABLES_PARAMETER, _PARAMETER_NAME, "a parameter", problems)
    stream = _name_if_set(environment, DELIVERY_STREAM, _DELIVERY_STREAM_NAME, "a Firehose stream", problems)
    if problems:
        raise UsageError("; ".join(problems))
    return Settings(table=table, bucket=bucket, policy=policy, tables_parameter=parameter, delivery_stream=stream)


def read_consumer_settings(environment: Mapping[str, str] | None = None) -> tuple[Settings, ConsumerSettings]:
    """Return what the environment says to a consumer of the stream.

    Args:
        environment: None: this process's own.

    Raises:
        UsageError: Something is missing or wrong; its text names every problem there is, not only the first.
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


def service_name(default: str) -> str:
    """Return what a Lambda calls itself in its log, and in the dimension of its counts.

    Args:
        default: For where `POWERTOOLS_SERVICE_NAME` is unset: outside a deployment.
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
        problems.append(f"{variable} is no name that AWS allows for {meaning}: {value!r}")
    return value


def _seconds(environment: Mapping[str, str], variable: str, default: float, problems: list[str]) -> float:
    value = environment.get(variable, "")
    if value and not _SECONDS.fullmatch(value):
        problems.append(f"{variable} is no number of seconds: {value!r}")
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
