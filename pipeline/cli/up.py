"""`mailfold up`: the local cloud, until Ctrl-C."""

import shlex
import signal
import threading
from collections.abc import Iterator, Mapping
from types import FrameType
from typing import Annotated

import typer

from pipeline.cli.output import results, say, to_people
from pipeline.errors import UsageError

BUFFER_SECONDS = 2.0  # who tries something wants to see it in the log soon, however small its objects are then


def up_command(
    *,
    endpoint_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Another emulator to stand in moto's place. What it holds stays there."),
    ] = None,
) -> None:
    """Run the local cloud until Ctrl-C. The other commands find it by themselves, from any terminal of yours.

    An application that sends with boto3's ses or sesv2 client to its address sees its own mail become events, bounces
    and suppressions. Export what is printed to use it.

    Example: mailfold up
    """
    from pipeline.local.cloud import LocalCloud  # noqa: PLC0415 - heavy: moto, pyarrow, duckdb
    from pipeline.local.discovery import ENDPOINT, announce, find  # noqa: PLC0415 - the same

    if running := find():
        raise UsageError(f"a local cloud runs already, at {running[ENDPOINT]}: use it, or stop it first")
    stop = threading.Event()
    _stop_on_signals(stop)
    to_people().print("starting the local cloud …", style="dim")
    with (
        LocalCloud(endpoint_url=endpoint_url, buffer_seconds=BUFFER_SECONDS) as cloud,
        announce(cloud.environment()),
    ):
        say(_welcome(cloud.environment(), endpoint_url), to=results())
        stop.wait()
        to_people().print("stopping …", style="dim")


def _welcome(environment: Mapping[str, str], endpoint_url: str | None) -> Iterator[str]:
    yield "The local cloud runs. For applications:"
    yield ""
    for name, value in environment.items():
        yield f"export {name}={shlex.quote(value)}"
    yield ""
    yield "From a second terminal, which needs none of this, for example:"
    yield ""
    yield "mailfold send --to bounce+ann@example.com"
    yield "mailfold lookup bounce+ann@example.com"
    yield ""
    yield f"Ctrl-C stops it; what it holds {f'stays in {endpoint_url}' if endpoint_url else 'is gone'} then."


def _stop_on_signals(stop: threading.Event) -> None:
    def handle(_: int, __: FrameType | None) -> None:
        stop.set()

    numbers = {signal.SIGINT, signal.SIGTERM}
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # as under nohup, to outlive its terminal
        numbers.add(signal.SIGHUP)
    for number in numbers:
        signal.signal(number, handle)
