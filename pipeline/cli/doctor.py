"""`mailfold doctor`: what is wrong with a live deployment, and how to mend it.

What the doctor finds, as it is found: for people, or for programs.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated

import msgspec
import typer

from pipeline.aws.doctor.canary import CanaryHop
from pipeline.aws.doctor.checks import CheckResult, run_checks
from pipeline.aws.doctor.deployment import IDENTITIES, Deployment, connect_deployment
from pipeline.aws.doctor.finding import Severity
from pipeline.aws.doctor.permissions import document
from pipeline.aws.stack import deployed_stack
from pipeline.cli.options import RegionOption, StackOption, required_stack
from pipeline.cli.output import counted, printable, results, to_people, write_json
from pipeline.cli.target import connect_aws
from pipeline.errors import UsageError

LINK_WIDTH = 18  # of the longest name of a link
LOOKS = {  # a mark, and a style
    Severity.GOOD: ("✓", "green"),
    Severity.WARNING: ("!", "yellow"),
    Severity.FAULT: ("✗", "red"),
    Severity.UNKNOWN: ("?", "magenta"),
}


def show_examination(deployment: Deployment, *, json: bool) -> bool:
    """Show what is found as it is found; tell whether nothing is a fault."""
    severities: list[Severity] = []
    with to_people().status("looking") as status:
        for examined in run_checks(deployment):
            status.update(f"looked at {examined.link}")
            severities += [finding.severity for finding in examined.findings]
            _show(examined, json=json)
    if not json:
        _sum_up(severities)
    return Severity.FAULT not in severities


def _show(examined: CheckResult, *, json: bool) -> None:
    link = examined.link
    for finding in examined.findings:
        if json:
            write_json({"link": link, **msgspec.to_builtins(finding)})
            continue
        mark, style = LOOKS[finding.severity]
        _write(f"{mark} {link:<{LINK_WIDTH}} {finding.words}", mending=finding.mending, style=style)
        link = ""  # once for all its findings


def show_flight(hops: Iterable[CanaryHop], *, json: bool) -> bool:
    """Show each hop of a canary; tell whether it made them all."""
    made = True
    with to_people().status("following the canary"):
        for hop in hops:
            made &= hop.seconds is not None
            if json:
                write_json({"hop": hop.name, "seconds": hop.seconds, "words": hop.words, "mending": hop.mending})
            elif hop.seconds is None:
                _write(f"✗ canary, {hop.name:<10} {hop.words}", mending=hop.mending, style="red")
            else:
                _write(f"✓ canary, {hop.name:<10} {hop.seconds:.1f} s: {hop.words}", style="green")
    return made


def _sum_up(severities: list[Severity]) -> None:
    faults, warnings = severities.count(Severity.FAULT), severities.count(Severity.WARNING)
    unknown = severities.count(Severity.UNKNOWN)
    to_people().print(
        f"{counted(faults, 'fault')}, {counted(warnings, 'warning')}"
        f"{f', {unknown:,} not looked at' if unknown else ''}",
        style="bold",
    )


def _write(line: str, *, mending: str = "", style: str) -> None:
    """Write a line, and below it how to mend; neither is broken, so that a command can be copied."""
    console = results()
    console.print(printable(line), style=style, soft_wrap=True)
    if mending:
        console.print(printable(f"    → {mending}"), soft_wrap=True)


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
    from pipeline.aws.doctor.canary import trace_canary  # noqa: PLC0415 - two dozen small modules

    if sender and not canary:
        raise UsageError("--from says who sends the canary: say --canary too")
    deployment = _deployment(required_stack(stack), region, identities=identities)
    well = show_examination(deployment, json=json)
    if canary:
        well &= show_flight(trace_canary(deployment, sender=sender), json=json)
    if not well:
        raise typer.Exit(EXIT_FAULTY)


def _deployment(stack: str, region: str | None, *, identities: int) -> Deployment:
    connect = connect_deployment(connect_aws(region))
    found = deployed_stack(connect("cloudformation"), name=stack)
    return Deployment(stack=found, client=connect, now=datetime.now(UTC), identities=identities)
