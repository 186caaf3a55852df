"""`mailfold consume`: the feedback stream into the suppression table, by the Kinesis Client Library's daemon."""

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import typer

from pipeline.aws.deployment.parameter import POLICY as POLICY_PARAMETER
from pipeline.aws.kcl.condition import STALLED_SECONDS, Condition
from pipeline.aws.kcl.daemon import Launch, new_name
from pipeline.aws.kcl.endpoint import LISTEN, PORT, Endpoint
from pipeline.aws.kcl.java import classpath, find_java
from pipeline.aws.kcl.properties import GRACE_SECONDS, HEAP_MEBIBYTES, Consumer, Position
from pipeline.aws.kcl.supervisor import Supervisor
from pipeline.aws.kcl.worker import Worker
from pipeline.aws.settings import (
    BUCKET,
    POLICY,
    STREAM,
    TABLE,
    TABLE_NAME,
    TABLES_PARAMETER,
    read_consumer_settings,
    service_name,
)
from pipeline.cli import consume_option as option
from pipeline.cli.moment import moment
from pipeline.cli.option import RegionOption, StackOption
from pipeline.cli.stop import ringing
from pipeline.cli.target import target
from pipeline.errors import Misuse

EXIT_FORCED = 1
POSITIONS = {"trim-horizon": Position.OLDEST, "latest": Position.NEWEST}
REGION, JAVA_REGION = "AWS_DEFAULT_REGION", "AWS_REGION"  # boto3 reads the one, AWS's SDK for Java the other


def consume_command(
    *,
    stack: StackOption = None,
    region: RegionOption = None,
    stream: option.Stream = None,
    application: option.Application = None,
    workers: option.Workers = 1,
    fan_out: option.FanOut = False,
    start: option.From = "trim-horizon",
    health_host: option.HealthHost = LISTEN,
    health_port: option.HealthPort = PORT,
    max_lag: option.MaxLag = None,
    max_stall: option.MaxStall = STALLED_SECONDS,
    restarts: option.Restarts = None,
    grace: option.Grace = GRACE_SECONDS,
    java: option.Java = None,
    heap: option.Heap = HEAP_MEBIBYTES,
    log_level: option.LogLevel = option.Level.WARN,
    properties: option.Properties = None,
) -> None:
    """Project the feedback stream with the Kinesis Client Library, until Ctrl-C; a second one ends it at once.

    For where no Lambda is to do it; on Linux or macOS. Table, bucket and policy are the stack's, or MAILFOLD_TABLE,
    MAILFOLD_BUCKET and MAILFOLD_POLICY. /health and /metrics of the health endpoint say how every shard fares.

    Example: mailfold consume --stack mail
    """
    environment = _environment(stack, region, stream)
    application = application or environment.get(option.APPLICATION) or f"mailfold-{environment[STREAM]}"
    consumer = Consumer(
        stream=environment[STREAM],
        application=_table_name(application),
        region=environment[REGION],
        start=_start(start),
        fan_out=fan_out,
        grace_seconds=grace,
        heap_mebibytes=heap,
        log_level=log_level.upper(),
        properties=dict(map(_property, properties or [])),
    )
    max_lag_millis = None if max_lag is None else int(max_lag * 1_000)
    condition = Condition(workers=workers, stalled_seconds=max_stall, max_lag_millis=max_lag_millis)
    jars, program = classpath(), find_java(environment, named=java)
    with ExitStack() as resources:
        endpoint = resources.enter_context(Endpoint(condition.overview, host=health_host, port=health_port))
        folder = resources.enter_context(TemporaryDirectory(prefix="mailfold-consume-"))
        launch = Launch(
            consumer=consumer,
            name=new_name(),
            java=program,
            classpath=jars,
            folder=Path(folder),
            environment=environment,
        )
        clean = _supervise(launch, condition, workers=workers, restarts=restarts, health=endpoint.url)
    if not clean:
        raise typer.Exit(EXIT_FORCED)


def _supervise(launch: Launch, condition: Condition, *, workers: int, restarts: int | None, health: str) -> bool:
    """Run daemons until a signal, and return whether they ended in good order."""
    from aws_lambda_powertools import Logger  # noqa: PLC0415 - no part of a plain installation

    log = Logger(service=service_name("consumer"), stream=sys.stderr, utc=True, use_rfc3339=True)
    consumer = launch.consumer
    daemons = [
        Worker(number, start=launch.start, condition=condition, show=_show, warn=log.warning, restarts=restarts)
        for number in range(workers)
    ]
    with (
        Supervisor(daemons, grace_seconds=consumer.grace_seconds, warn=log.warning) as supervisor,
        ringing(supervisor.doorbell),
    ):
        log.info("consuming", stream=consumer.stream, application=consumer.application, health=f"{health}/health")
        clean = supervisor.run()
    log.info("stopped")
    return clean


def _environment(stack: str | None, region: str | None, stream: str | None) -> Mapping[str, str]:
    """Return what daemons and record processors find in their environment, once it has been seen to be good."""
    if not (stack or {TABLE, BUCKET} & os.environ.keys()):
        raise Misuse(f"which stack? Name it with --stack, or set {TABLE}, {BUCKET} and {STREAM}")
    environment = {**os.environ, **(_of_stack(stack, region) if stack else {})}
    if stream:
        environment[STREAM] = stream
    read_consumer_settings(environment)
    found = _region(region)
    return {**environment, REGION: found, JAVA_REGION: found}


def _of_stack(name: str, region: str | None) -> dict[str, str]:
    found = target(name, region)
    policy = found.stack.parameters.get(POLICY_PARAMETER) if found.stack else None
    return {
        STREAM: found.stream or "",
        TABLE: found.settings.table,
        BUCKET: found.settings.bucket,
        TABLES_PARAMETER: found.settings.tables_parameter or "",
        POLICY: policy or "",
        option.APPLICATION: found.stack.outputs.get("ConsumerApplication", "") if found.stack else "",
    }


def _region(named: str | None) -> str:
    from boto3.session import Session  # noqa: PLC0415 - boto3 takes a third of a second

    region = named or os.environ.get(JAVA_REGION) or Session().region_name
    if not region:
        raise Misuse(f"which region? Name it with --region, or in {JAVA_REGION}")
    return region


def _start(text: str) -> Position | datetime:
    try:
        return POSITIONS.get(text.lower()) or moment(text) or Position.OLDEST
    except Misuse as error:
        raise Misuse(f"--from takes {', '.join(POSITIONS)} or a time: {error}") from error


def _table_name(application: str) -> str:
    if not TABLE_NAME.fullmatch(application):
        raise Misuse(f"{application!r} is no name for a lease table: 3 to 255 of a-z A-Z 0-9 _ . -")
    return application


def _property(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise Misuse(f"--property takes NAME=VALUE, and not {text!r}")
    return name, value


def _show(line: bytes) -> None:
    """Write a line of a daemon's on standard error, in one piece."""
    sys.stderr.buffer.write(line)
    sys.stderr.buffer.flush()
