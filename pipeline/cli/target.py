"""The cloud that a command works on: a named stack, what the environment names, or the running local cloud.

They take precedence in this order. The command line reads the environment here and nowhere deeper, and never changes
it.
"""

import os
from collections.abc import Callable
from functools import cache, partial
from typing import Any

import msgspec

from pipeline.aws.archive.athena import RESULTS_PREFIX
from pipeline.aws.clients import Clients, Service, create_client, session
from pipeline.aws.erasure_key import erasure_parameter, read_key
from pipeline.aws.errors import translated
from pipeline.aws.settings import BUCKET, STREAM, TABLE, Settings, read_settings
from pipeline.aws.stack import (
    POLICY_PARAMETER,
    Stack,
    SuppressionTables,
    deployed_stack,
    read_tables,
    tables_of,
    to_policy,
)
from pipeline.cli.options import STACK
from pipeline.errors import UsageError
from pipeline.policy import Policy

ERASURE_KEY = "MAILFOLD_ERASURE_KEY"  # the name of the parameter, and never the key
ENDPOINT = "AWS_ENDPOINT_URL"
REGION = "AWS_DEFAULT_REGION"
ACCESS_KEY = "AWS_ACCESS_KEY_ID"


class NoCloud(UsageError):
    """No cloud is named, and no local cloud runs."""


class Target(msgspec.Struct, frozen=True, kw_only=True):
    """A cloud, and the names of the pipeline's resources there.

    Attributes:
        settings: Live table, bucket and policy; delivery stream and parameter of the live table, if known.
        clients: boto3 clients of that cloud.
        is_local: Nothing that is done there reaches AWS.
        stack: The named stack. None if none was named.
        shadow_tables: Tables that the projector writes to besides the live one.
        shadow_policy: The policy of these tables; None: the settings' policy is.
        database: The Glue database of the event log and its views.
        log_table: The event log's table there.
        workgroup: Athena's workgroup.
        output_location: Where Athena puts results. None if the workgroup decides it.
        configuration_set: SES's configuration set for mail. None if unknown.
        stream: The Kinesis stream of feedback and decisions. None if unknown.
        erasure_parameter: The parameter with the key of erasures. None if unknown.
    """

    settings: Settings
    clients: Clients
    is_local: bool
    stack: Stack | None = None
    shadow_tables: tuple[str, ...] = ()
    shadow_policy: Policy | None = None
    database: str = "mailfold"
    log_table: str = "events"
    workgroup: str = "primary"
    output_location: str | None = None
    configuration_set: str | None = None
    stream: str | None = None
    erasure_parameter: str | None = None

    def erasure_key(self) -> bytes | None:
        """Return the key of erasures; None if no one was ever erased, or no parameter is known.

        Raises:
            AccessDenied: AWS denies reading it: without it, an erased person would seem clear.
            ServiceUnavailable: AWS throttles or cannot be reached.
        """
        return read_key(self.clients.ssm, parameter=self.erasure_parameter) if self.erasure_parameter else None


def target(stack: str | None = None, region: str | None = None, *, unused: str = "") -> Target:
    """Return the cloud to work on. A local cloud that `mailfold up` runs is discovered.

    Args:
        stack: The named stack, if any.
        region: The stack's region. None means boto3's region.
        unused: The variable, of a table or a bucket, that the command works without; see `settings.read_settings`.

    Raises:
        NoCloud: The environment names nothing, and no local cloud runs.
        UsageError: The environment names it wrongly.
        NotFound: The stack does not exist.
        AccessDenied: boto3 has no credentials or no region, or AWS denies reading the stack.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    if stack:
        return _stack_target(stack, region)
    if {TABLE, BUCKET} & os.environ.keys():
        return _environment_target(region, unused)
    if region:
        raise UsageError("--region is the region of a stack: name the stack too, with --stack")
    return _local_target()


def connect_aws(region: str | None = None) -> Callable[[Service], Any]:
    """Return a function that creates clients of AWS, or of the emulator at `AWS_ENDPOINT_URL`, for `Clients`.

    It raises `AccessDenied` if boto3 has no credentials or no region, before any call is made.

    Args:
        region: None means boto3's region.
    """
    check_credentials = cache(_check_credentials)

    def create(service: Service) -> Any:
        try:
            with translated("connecting to AWS"):
                check_credentials()
                return create_client(service, region=region)
        except ValueError as error:  # boto3's, for a malformed endpoint
            raise UsageError(f"boto3 is not configured correctly: {str(error).rstrip('.')}") from error

    return create


def _stack_target(name: str, region: str | None) -> Target:
    clients = Clients(connect_aws(region))
    stack = deployed_stack(clients.cloudformation, name=name)
    tables = tables_of(clients.ssm, stack)
    policy = to_policy(stack.parameters.get(POLICY_PARAMETER, ""))
    return Target(
        settings=Settings(
            table=tables.live,
            bucket=stack.output("LogBucket"),
            policy=tables.newest_policy(policy),
            tables_parameter=stack.output("TablesParameter"),
            delivery_stream=stack.output("DeliveryStream"),
        ),
        clients=clients,
        is_local=ENDPOINT in os.environ,
        stack=stack,
        shadow_tables=tables.shadow_tables,
        shadow_policy=tables.shadow_policy,
        database=stack.output("Database"),
        log_table=stack.output("LogTable"),
        workgroup=stack.output("Workgroup"),
        # The workgroup keeps results itself and rejects a location, but no emulator implements that.
        output_location=_results_location(stack.output("LogBucket")) if ENDPOINT in os.environ else None,
        configuration_set=stack.output("ConfigurationSet"),
        stream=stack.output("FeedbackStream"),
        erasure_parameter=erasure_parameter(f"/mailfold/{stack.name}"),
    )


def _environment_target(region: str | None, unused: str) -> Target:
    clients = Clients(connect_aws(region))
    settings, tables = _current(read_settings(unused=unused), clients)
    return Target(
        settings=settings,
        clients=clients,
        is_local=ENDPOINT in os.environ,
        shadow_tables=tables.shadow_tables,
        shadow_policy=tables.shadow_policy,
        output_location=_results_location(settings.bucket),
        configuration_set="mailfold" if ENDPOINT in os.environ else None,
        stream=os.environ.get(STREAM),
        erasure_parameter=os.environ.get(ERASURE_KEY),
    )


def _local_target() -> Target:
    from pipeline.local.client import local_client  # noqa: PLC0415 - heavy, and used only if no cloud is named
    from pipeline.local.discovery import find  # noqa: PLC0415 - the same
    from pipeline.local.resources import Names  # noqa: PLC0415 - the same

    environment = find()
    if environment is None:
        raise NoCloud(
            f"no local cloud is running: start one with `mailfold up`, or name a stack in AWS with --stack or {STACK}"
        )
    names = Names()
    create = partial(
        local_client,
        endpoint_url=environment[ENDPOINT],
        region=environment[REGION],
        access_key_id=environment[ACCESS_KEY],
    )
    clients = Clients(create)
    settings, tables = _current(read_settings({**os.environ, **environment}), clients)
    return Target(
        settings=settings,
        clients=clients,
        is_local=True,
        shadow_tables=tables.shadow_tables,
        shadow_policy=tables.shadow_policy,
        database=names.database,
        log_table=names.log,
        output_location=_results_location(settings.bucket),
        configuration_set=names.configuration_set,
        stream=environment.get(STREAM),
        erasure_parameter=erasure_parameter(f"/mailfold/{environment[TABLE]}"),
    )


def _current(settings: Settings, clients: Clients) -> tuple[Settings, SuppressionTables]:
    """Return settings with the live table and the policy in force, and all tables; by the parameter, if it is named."""
    parameter = settings.tables_parameter
    tables = (parameter and read_tables(clients.ssm, parameter=parameter)) or SuppressionTables(live=settings.table)
    policy = tables.newest_policy(settings.policy)
    return msgspec.structs.replace(settings, table=tables.live, policy=policy), tables


def _results_location(bucket: str) -> str:
    return f"s3://{bucket}/{RESULTS_PREFIX}"


def _check_credentials() -> None:
    """Check that boto3 finds credentials. Without any, it would retry every call before it fails."""
    from botocore.exceptions import NoCredentialsError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

    if session().get_credentials() is None:
        raise NoCredentialsError
