"""`mailfold doctor`: what is wrong with a live deployment, and how to mend it."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from pipeline.aws.doctor.deployment import IDENTITIES, Deployment, connected
from pipeline.aws.doctor.permission import document
from pipeline.aws.stack import deployed_stack
from pipeline.cli.connection import connection
from pipeline.cli.option import RegionOption, StackOption, required
from pipeline.cli.words import write_json
from pipeline.errors import Misuse

EXIT_FAULTY = 1


def doctor_command(
    *,
    stack: StackOption = None,
    region: RegionOption = None,
    canary: Annotated[bool, typer.Option("--canary", help="Then send a mail that bounces, and follow it.")] = False,
    sender: Annotated[str | None, typer.Option("--from", metavar="ADDRESS", help="Who sends the canary.")] = None,
    identities: Annotated[int, typer.Option(min=0, help="SES's identities to look at: a second each.")] = IDENTITIES,
    permissions: Annotated[bool, typer.Option("--permissions", help="Print the IAM policy that this needs.")] = False,
    json: Annotated[bool, typer.Option("--json", help="One line of JSON for each finding.")] = False,
) -> None:
    """Check every link of a live deployment, from SES to the log and to the table; nothing is changed.

    Exit code 1 if there is a fault. What could not be looked at is said, and never taken for good.

    The canary goes to SES's mailbox simulator, which bounces it, and is followed to the table and to the log; it
    suppresses nobody.

    Example: mailfold doctor --stack mail
    """
    if permissions:
        write_json(document())
        return
    from pipeline.aws.doctor.flight import fly  # noqa: PLC0415 - two dozen small modules
    from pipeline.cli.diagnosis import show_examination, show_flight  # noqa: PLC0415 - the same

    if sender and not canary:
        raise Misuse("--from says who sends the canary: say --canary too")
    deployment = _deployment(required(stack), region, identities=identities)
    well = show_examination(deployment, json=json)
    if canary:
        well &= show_flight(fly(deployment, sender=sender), json=json)
    if not well:
        raise typer.Exit(EXIT_FAULTY)


def _deployment(stack: str, region: str | None, *, identities: int) -> Deployment:
    connect = connected(connection(region))
    found = deployed_stack(connect("cloudformation"), name=stack)
    return Deployment(stack=found, client=connect, now=datetime.now(UTC), identities=identities)
