"""`mailfold up`: the local cloud, until Ctrl-C."""

import shlex
import signal
import threading
from collections.abc import Iterator, Mapping
from types import FrameType

from pipeline.cli.words import results, to_people
from pipeline.errors import Misuse


def up_command() -> None:
    """Run the local cloud until Ctrl-C. The other commands find it by themselves, from any terminal of yours.

    An application that sends with boto3's ses or sesv2 client to its address sees its own mail become events, bounces
    and suppressions. Export what is printed to use it.

    Example: mailfold up
    """
    from pipeline.local.cloud import LocalCloud  # noqa: PLC0415 - heavy: moto, pyarrow, duckdb
    from pipeline.local.discovery import ENDPOINT, announce, find  # noqa: PLC0415

    if running := find():
        raise Misuse(f"a local cloud runs already, at {running[ENDPOINT]}: use it, or stop it first")
    stop = threading.Event()
    _stop_on_signals(stop)
    to_people().print("starting the local cloud …", style="dim")
    with LocalCloud() as cloud, announce(cloud.environment()):
        for line in _welcome(cloud.environment()):
            results().print(line, markup=False)
        stop.wait()
        to_people().print("stopping …", style="dim")


def _welcome(environment: Mapping[str, str]) -> Iterator[str]:
    yield "The local cloud runs. For applications and other terminals:\n"
    for name, value in environment.items():
        yield f"export {name}={shlex.quote(value)}"
    yield "\nFrom a second terminal, for example:\n"
    yield "mailfold send --to bounce+ann@example.com"
    yield "mailfold lookup bounce+ann@example.com"
    yield "\nCtrl-C stops it; what it holds is gone then."


def _stop_on_signals(stop: threading.Event) -> None:
    def handle(_: int, __: FrameType | None) -> None:
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
