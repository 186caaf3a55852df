"""SES asked no faster than it answers: one call a second, but for sending.

docs.aws.amazon.com/ses/latest/dg/quotas.html

boto3 clients whose every call ends: explicit time-outs, and boto3's standard retries.

Clients are made at entry points and passed in. boto3 is imported when the first client is made, since it takes a
third of a second, and a Lambda that needs none should not pay for it.
docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf
from typing import TYPE_CHECKING, Any, Literal, overload

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_events import EventBridgeClient
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_iam import IAMClient
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_logs import CloudWatchLogsClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_ses import SESClient
    from mypy_boto3_sesv2 import SESV2Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient

Service = Literal[
    "athena",
    "cloudformation",
    "cloudwatch",
    "dynamodb",
    "ecs",
    "events",
    "firehose",
    "glue",
    "iam",
    "kinesis",
    "lambda",
    "logs",
    "s3",
    "ses",
    "sesv2",
    "sns",
    "sqs",
    "ssm",
    "sts",
]

CONNECT_TIMEOUT_SECONDS = 3  # inside a region a connection takes milliseconds
READ_TIMEOUT_SECONDS = 10  # without a byte; no call made here is quiet for longer
ATTEMPTS = 4  # with its back-off, at most about a minute: a Lambda answers before its own time is up
# SES answers one call a second, but for sending. Since the waits are random, a call that follows another at once fails
# once in fifty times with four attempts, and as good as never with six. docs.aws.amazon.com/ses/latest/dg/quotas.html
ATTEMPTS_AT_SES = 6


@overload
def client(
    service: Literal["athena"], *, endpoint_url: str | None = None, region: str | None = None
) -> AthenaClient: ...
@overload
def client(
    service: Literal["cloudformation"], *, endpoint_url: str | None = None, region: str | None = None
) -> CloudFormationClient: ...
@overload
def client(
    service: Literal["cloudwatch"], *, endpoint_url: str | None = None, region: str | None = None
) -> CloudWatchClient: ...
@overload
def client(
    service: Literal["dynamodb"], *, endpoint_url: str | None = None, region: str | None = None
) -> DynamoDBClient: ...
@overload
def client(service: Literal["ecs"], *, endpoint_url: str | None = None, region: str | None = None) -> ECSClient: ...
@overload
def client(
    service: Literal["events"], *, endpoint_url: str | None = None, region: str | None = None
) -> EventBridgeClient: ...
@overload
def client(
    service: Literal["firehose"], *, endpoint_url: str | None = None, region: str | None = None
) -> FirehoseClient: ...
@overload
def client(service: Literal["glue"], *, endpoint_url: str | None = None, region: str | None = None) -> GlueClient: ...
@overload
def client(service: Literal["iam"], *, endpoint_url: str | None = None, region: str | None = None) -> IAMClient: ...
@overload
def client(
    service: Literal["kinesis"], *, endpoint_url: str | None = None, region: str | None = None
) -> KinesisClient: ...
@overload
def client(
    service: Literal["lambda"], *, endpoint_url: str | None = None, region: str | None = None
) -> LambdaClient: ...
@overload
def client(
    service: Literal["logs"], *, endpoint_url: str | None = None, region: str | None = None
) -> CloudWatchLogsClient: ...
@overload
def client(service: Literal["s3"], *, endpoint_url: str | None = None, region: str | None = None) -> S3Client: ...
@overload
def client(service: Literal["ses"], *, endpoint_url: str | None = None, region: str | None = None) -> SESClient: ...
@overload
def client(service: Literal["sesv2"], *, endpoint_url: str | None = None, region: str | None = None) -> SESV2Client: ...
@overload
def client(service: Literal["sns"], *, endpoint_url: str | None = None, region: str | None = None) -> SNSClient: ...
@overload
def client(service: Literal["sqs"], *, endpoint_url: str | None = None, region: str | None = None) -> SQSClient: ...
@overload
def client(service: Literal["ssm"], *, endpoint_url: str | None = None, region: str | None = None) -> SSMClient: ...
@overload
def client(service: Literal["sts"], *, endpoint_url: str | None = None, region: str | None = None) -> STSClient: ...


def client(service: Service, *, endpoint_url: str | None = None, region: str | None = None) -> Any:
    """Return a client of an AWS service.

    Args:
        service: Its name in boto3.
        endpoint_url: Where it is, if not at AWS: an emulator. None: `AWS_ENDPOINT_URL` if set, or else AWS.
        region: None: what boto3 finds in the environment or the user's configuration.
    """
    with uncollected():
        import boto3  # noqa: PLC0415 - heavy: see above
        from botocore.config import Config  # noqa: PLC0415 - the same

        config = Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={
                "mode": "standard",
                "total_max_attempts": ATTEMPTS_AT_SES if service == "sesv2" else ATTEMPTS,
            },
            tcp_keepalive=True,
        )
        return boto3.client(service, endpoint_url=endpoint_url, region_name=region, config=config)


@contextmanager
def uncollected() -> Iterator[None]:
    """Keep Python's garbage collector away while something is made that stays.

    A client is made of a hundred thousand small objects. Looking through them again and again meanwhile, and once more
    afterwards, is a seventh of the time that it takes, and finds nothing.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()
            gc.unfreeze()  # into the oldest generation at once, which is seldom looked through
            gc.enable()


SES_SECONDS = 1.0


def rate_limited(
    client: Any, *, clock: Callable[[], float] = time.monotonic, wait: Callable[[float], None] = time.sleep
) -> None:
    """Have a client of SES's second API wait before each call until SES answers again.

    Args:
        client: boto3's `sesv2`.
        clock: Seconds from some moment on.
        wait: Waits so many seconds.
    """
    asked_at = [-inf]

    def pace(**_: Any) -> None:
        wait_seconds = asked_at[0] + SES_SECONDS - clock()
        if wait_seconds > 0:
            wait(wait_seconds)
        asked_at[0] = clock()

    client.meta.events.register("before-call.sesv2", pace)
