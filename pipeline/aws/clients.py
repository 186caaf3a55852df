"""boto3 clients with explicit time-outs and boto3's standard retries, so that every call ends.

An entry point makes `Clients` and passes it on. botocore, which makes boto3's clients, is imported for the first one: a
Lambda without a client must not spend the time. boto3 itself would add a quarter of it, for resources and transfers.
docs.aws.amazon.com/boto3/latest/guide/retries.html
"""

from __future__ import annotations

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from math import inf
from typing import TYPE_CHECKING, Any, Literal, get_args

if TYPE_CHECKING:
    from botocore.session import Session
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
READ_TIMEOUT_SECONDS = 10  # between two bytes; no call made here is silent for longer
ATTEMPTS = 4  # about a minute at most, back-off included: a Lambda answers before its own time-out
# SES answers one call a second, except for sending (docs.aws.amazon.com/ses/latest/dg/quotas.html). The waits are
# random, so a call right after another one fails once in fifty times with four attempts, and almost never with six.
ATTEMPTS_AT_SES = 6
SES_SECONDS = 1.0  # between two calls of SES; see above


def create_client(service: Service, *, endpoint_url: str | None = None, region: str | None = None) -> Any:
    """Return a new client of an AWS service.

    Args:
        service: Its name in boto3.
        endpoint_url: An emulator's endpoint; None for `AWS_ENDPOINT_URL` if it is set, and else AWS's.
        region: The region; None for the one that boto3 finds in the environment or the user's configuration.
    """
    with without_garbage_collection():
        from botocore.config import Config  # noqa: PLC0415 - heavy: see the top

        config = Config(
            connect_timeout=CONNECT_TIMEOUT_SECONDS,
            read_timeout=READ_TIMEOUT_SECONDS,
            retries={"mode": "standard", "total_max_attempts": ATTEMPTS_AT_SES if service == "sesv2" else ATTEMPTS},
            tcp_keepalive=True,
        )
        return session().create_client(service, endpoint_url=endpoint_url, region_name=region, config=config)


@cache
def session() -> Session:
    """Return the session of this process's clients. It reads the user's configuration and the services' models once."""
    from botocore.session import Session  # noqa: PLC0415 - heavy: see the top

    from pipeline.aws.service_models import ServiceModels  # noqa: PLC0415 - the same

    process_session = Session()
    models = ServiceModels(get_args(Service), process_session.get_config_variable("data_path"))
    process_session.register_component("data_loader", models)
    return process_session


class Clients:
    """boto3 clients of one account and region, each made once, when it is first used.

    Args:
        create: Makes a client of a service, by its name in boto3. A test passes its fakes.
    """

    athena: AthenaClient
    cloudformation: CloudFormationClient
    cloudwatch: CloudWatchClient
    dynamodb: DynamoDBClient
    ecs: ECSClient
    events: EventBridgeClient
    firehose: FirehoseClient
    glue: GlueClient
    iam: IAMClient
    kinesis: KinesisClient
    lambda_: LambdaClient
    logs: CloudWatchLogsClient
    s3: S3Client
    ses: SESClient
    sesv2: SESV2Client
    sns: SNSClient
    sqs: SQSClient
    ssm: SSMClient
    sts: STSClient

    def __init__(self, create: Callable[[Service], Any] = create_client) -> None:
        self._create = create

    if not TYPE_CHECKING:  # a checker must know the attributes above and no others

        def __getattr__(self, name: str) -> Any:
            service = name.removesuffix("_")
            if service not in get_args(Service):
                raise AttributeError(name)
            with without_garbage_collection():
                client = self._create(service)
            setattr(self, name, client)
            return client


def limit_rate(
    client: Any, *, clock: Callable[[], float] = time.monotonic, wait: Callable[[float], None] = time.sleep
) -> None:
    """Make a client of SES API v2 wait before each call until a second has passed since the last one.

    Args:
        client: boto3's `sesv2`.
        clock: Monotonic seconds.
        wait: Waits so many seconds.
    """
    called_at_seconds = -inf

    def wait_for_turn(**_: Any) -> None:
        nonlocal called_at_seconds
        wait_seconds = called_at_seconds + SES_SECONDS - clock()
        if wait_seconds > 0:
            wait(wait_seconds)
        called_at_seconds = clock()

    client.meta.events.register("before-call.sesv2", wait_for_turn)


@contextmanager
def without_garbage_collection() -> Iterator[None]:
    """Disable Python's garbage collector while long-lived objects are made.

    A client consists of a hundred thousand small objects. Collecting garbage during and after its creation takes a
    seventh of the time and frees nothing.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.freeze()
            gc.unfreeze()  # moves all objects to the oldest generation, which is seldom collected
            gc.enable()
