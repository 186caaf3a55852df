"""`mailfold up`: the local cloud, until Ctrl-C."""

import shlex
from collections.abc import Iterator, Mapping
from typing import Annotated

import typer

from pipeline.cli.output import results, say, to_people
from pipeline.cli.stop_request import stop_requested_by_signal
from pipeline.local.cloud import LocalCloud
from pipeline.local.discovery import announce, only_one

BUFFER_SECONDS = 2.0  # short, so that a test mail is soon in the log; the log's objects are small then


def up_command(
    *,
    endpoint_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL", help="Endpoint of another emulator, to use in place of moto. What it holds stays there."
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=0, max=65_535, help="Port of its address; 0 for a free one.")] = 0,
    require_verified: Annotated[
        bool, typer.Option("--require-verified", help="Reject mail of senders that are not verified, as SES does.")
    ] = False,
    log_requests: Annotated[
        bool, typer.Option("--log-requests", help="Write a line for each request to standard error.")
    ] = False,
) -> None:
    """Run the local cloud until Ctrl-C. The other commands find it by themselves, from any terminal of the same user.

    An application that sends with boto3's ses or sesv2 client to its address sees its own mail become events, bounces
    and suppressions. Export what is printed to use it.

    Example: mailfold up
    """
    with only_one(), stop_requested_by_signal() as stop:
        to_people().print("starting the local cloud …", style="dim")
        with (
            LocalCloud(
                endpoint_url=endpoint_url,
                buffer_seconds=BUFFER_SECONDS,
                verify_senders=not require_verified,
                port=port,
                log_request=_log_request if log_requests else None,
            ) as cloud,
            announce(cloud.environment()),
        ):
            say(_welcome_lines(cloud.environment(), endpoint_url), to=results())
            stop.wait()
            to_people().print("stopping …", style="dim")


def _log_request(line: str) -> None:
    say([line], to=to_people())


def _welcome_lines(environment: Mapping[str, str], endpoint_url: str | None) -> Iterator[str]:
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
    yield f"Ctrl-C stops it. What it holds {f'stays in {endpoint_url}' if endpoint_url else 'is gone'} then."
