"""Which cloud the commands work on: a stack that was named, what the environment names, or the local one that runs.

They count in this order. The environment is read here, at the entry point, and nowhere deeper; nothing of it is
changed.

The way to a cloud: what boto3 misses is told in one sentence, and before anything is tried.
"""

import os
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import msgspec

from pipeline.aws.clients import Service
from pipeline.aws.deployment.parameters import POLICY
from pipeline.aws.settings import BUCKET, STREAM, TABLE, Settings, read_settings
from pipeline.aws.stack import Stack, deployed_stack, tables_of
from pipeline.cli.options import STACK
from pipeline.errors import UsageError
from pipeline.policy import DEFAULT_POLICY, parse_policy

Connection = Callable[[Service], Any]
"""Gives a boto3 client of a service, the same one each time."""


def connect_aws(region: str | None = None) -> Connection:
    """Return what gives clients of AWS, or of the emulator at `AWS_ENDPOINT_URL`.

    Args:
        region: None: boto3's.

    The clients are made as they are asked for, which raises `UsageError` where boto3 has no credentials or no region.
    """

    @cache
    def check_credentials() -> None:
        from boto3.session import Session  # noqa: PLC0415 - boto3 takes a third of a second
        from botocore.exceptions import NoCredentialsError  # noqa: PLC0415 - the same

        if Session().get_credentials() is None:  # or else every call would try again and again
            raise NoCredentialsError

    def connect(service: Service) -> Any:
        from pipeline.aws.clients import create_client  # noqa: PLC0415 - boto3 takes a third of a second

        check_credentials()
        return create_client(service, region=region)

    return with_setup_errors(connect)


def with_setup_errors(connect: Callable[[Service], Any]) -> Connection:
    """Return the same, which gives each client once, and tells what boto3 misses."""

    @cache
    def client(service: Service) -> Any:
        from botocore.exceptions import BotoCoreError  # noqa: PLC0415 - boto3 takes a third of a second

        try:
            return connect(service)
        except (BotoCoreError, ValueError) as error:  # a ValueError where an address or a region is no such thing
            raise UsageError(
                f"boto3 is not set up: {str(error).rstrip('.')}. Set AWS_PROFILE, or AWS_DEFAULT_REGION and keys"
            ) from error

    return client


ENDPOINT = "AWS_ENDPOINT_URL"
REGION = "AWS_DEFAULT_REGION"


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A cloud, and where the pipeline keeps things there.

    Attributes:
        settings: The live table, bucket and policy; the delivery stream and the parameter of the live table, if known.
        client: Gives a boto3 client of a service there. Raises `UsageError` where boto3 misses something.
        is_local: Whether nothing that is done there reaches AWS.
        stack: The stack that was named; None: none was.
        shadow_tables: The tables that the projector writes to besides the live one.
        database: The Glue database of log and views.
        log_table: The log's table there.
        workgroup: Athena's workgroup.
        output_location: Where Athena puts answers; None: the workgroup keeps them itself.
        configuration_set: What mail is sent with; None: unknown.
        stream: The Kinesis stream of feedback and decisions; None: unknown.
    """

    settings: Settings
    client: Connection
    is_local: bool
    stack: Stack | None = None
    shadow_tables: tuple[str, ...] = ()
    database: str = "mailfold"
    log_table: str = "events"
    workgroup: str = "primary"
    output_location: str | None = None
    configuration_set: str | None = None
    stream: str | None = None


def target(stack: str | None = None, region: str | None = None) -> Target:
    """Return what the commands work on. A local cloud that `mailfold up` runs is found by itself.

    Args:
        stack: The stack that was named; None: none was.
        region: Where it is; None: boto3's.

    Raises:
        UsageError: There is no such stack, or the environment names nothing, or wrongly, and no local cloud runs.
        ServiceUnavailable: AWS throttles or cannot be reached, where a stack was named.
    """
    if stack:
        return _deployed(stack, region)
    if {TABLE, BUCKET} & os.environ.keys():
        return _of_environment(region)
    if region:
        raise UsageError("--region says where a stack is: name the stack too, with --stack")
    return _running()


def _deployed(name: str, region: str | None) -> Target:
    client = connect_aws(region)
    stack = deployed_stack(client("cloudformation"), name=name)
    tables = tables_of(client("ssm"), stack)
    policy = stack.parameters.get(POLICY)
    return Target(
        settings=Settings(
            table=tables.live,
            bucket=stack.output("LogBucket"),
            policy=parse_policy(policy.encode()) if policy else DEFAULT_POLICY,
            tables_parameter=stack.output("TablesParameter"),
            delivery_stream=stack.output("DeliveryStream"),
        ),
        client=client,
        is_local=ENDPOINT in os.environ,
        stack=stack,
        shadow_tables=tables.shadow_tables,
        database=stack.output("Database"),
        log_table=stack.output("LogTable"),
        workgroup=stack.output("Workgroup"),
        # The workgroup keeps answers itself, and refuses a location; but no emulator knows of that.
        output_location=_answers(stack.output("LogBucket")) if ENDPOINT in os.environ else None,
        configuration_set=stack.output("ConfigurationSet"),
        stream=stack.output("FeedbackStream"),
    )


def _of_environment(region: str | None) -> Target:
    settings = read_settings()
    return Target(
        settings=settings,
        client=connect_aws(region),
        is_local=ENDPOINT in os.environ,
        output_location=_answers(settings.bucket),
        configuration_set="mailfold" if ENDPOINT in os.environ else None,
        stream=os.environ.get(STREAM),
    )


def _running() -> Target:
    from pipeline.local.client import local_client  # noqa: PLC0415 - heavy, and only where no cloud is named
    from pipeline.local.discovery import find  # noqa: PLC0415 - the same
    from pipeline.local.resources import Names  # noqa: PLC0415 - the same

    found = find()
    if found is None:
        raise UsageError(
            f"no local cloud is running: start one with `mailfold up`, or name a stack in AWS with --stack or {STACK}"
        )
    settings, names = read_settings({**os.environ, **found}), Names()
    connect = partial(local_client, endpoint_url=found[ENDPOINT], region=found[REGION])
    return Target(
        settings=settings,
        client=with_setup_errors(connect),
        is_local=True,
        database=names.database,
        log_table=names.log,
        output_location=_answers(settings.bucket),
        configuration_set=names.configuration_set,
        stream=found.get(STREAM),
    )


def _answers(bucket: str) -> str:
    return f"s3://{bucket}/athena-results/"
