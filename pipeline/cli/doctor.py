"""`mailfold doctor`: check a live deployment, and print each finding as soon as it is known.

Standard output has the findings, for people or as JSON lines. Standard error has the progress and the summary.
"""

from collections.abc import Iterable
from typing import Annotated

import msgspec
import typer

from pipeline.aws.clients import Clients
from pipeline.aws.doctor.canary import CanaryHop, trace_canary
from pipeline.aws.doctor.checks import CheckResult, run_checks
from pipeline.aws.doctor.deployment import DEFAULT_IDENTITIES, Deployment, connect_deployment
from pipeline.aws.doctor.finding import Severity
from pipeline.aws.doctor.permissions import doctor_policy
from pipeline.aws.stack import deployed_stack
from pipeline.cli.options import RegionOption, StackOption, required_stack
from pipeline.cli.output import counted, printable, results, to_people, write_json
from pipeline.cli.target import connect_aws
from pipeline.errors import UsageError

EXIT_ERRORS_FOUND = 1
NAME_WIDTH = 18  # of the longest name of a check
STYLES = {  # a mark and a color
    Severity.OK: ("✓", "green"),
    Severity.WARNING: ("!", "yellow"),
    Severity.ERROR: ("✗", "red"),
    Severity.UNKNOWN: ("?", "magenta"),
}


def doctor_command(
    *,
    stack: StackOption = None,
    region: RegionOption = None,
    canary: Annotated[bool, typer.Option("--canary", help="Then send a mail that bounces, and follow it.")] = False,
    sender: Annotated[str | None, typer.Option("--from", metavar="ADDRESS", help="Sender of the canary.")] = None,
    identities: Annotated[
        int, typer.Option(min=0, help="How many SES identities to check. Each takes a second.")
    ] = DEFAULT_IDENTITIES,
    permissions: Annotated[bool, typer.Option("--permissions", help="Print the IAM policy that this needs.")] = False,
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each finding.")] = False,
) -> None:
    """Check every link of a live deployment, from SES to the log and the suppression table. Change nothing.

    The exit code is 1 if there is an error. What could not be checked is reported, and never counts as OK.

    The canary is sent to SES's mailbox simulator, which bounces it. It is followed to the table and to the log, and
    suppresses no address.

    Example: mailfold doctor --stack mail
    """
    if permissions:
        write_json(doctor_policy())
        return
    if sender and not canary:
        raise UsageError("--from names the sender of a canary: add --canary")
    name, clients = required_stack(stack), Clients(connect_aws(region))
    deployed = deployed_stack(clients.cloudformation, name=name)
    deployment = connect_deployment(deployed, clients, max_identities=identities)
    succeeded = show_checks(deployment, json=json)
    if canary:
        succeeded &= show_canary(trace_canary(deployment, sender=sender), json=json)
    if not succeeded:
        raise typer.Exit(EXIT_ERRORS_FOUND)


def show_checks(deployment: Deployment, *, json: bool) -> bool:
    """Run all checks and print their findings. Return True if none is an error."""
    severities: list[Severity] = []
    with to_people().status("checking") as status:
        for result in run_checks(deployment):
            status.update(f"checked {result.check}")
            severities += [finding.severity for finding in result.findings]
            _show_result(result, json=json)
    if not json:
        _show_summary(severities)
    return Severity.ERROR not in severities


def _show_result(result: CheckResult, *, json: bool) -> None:
    name = result.check
    for finding in result.findings:
        if json:
            write_json({"check": result.check, **msgspec.to_builtins(finding)})
            continue
        mark, style = STYLES[finding.severity]
        _show(f"{mark} {name:<{NAME_WIDTH}} {finding.message}", remedy=finding.remedy, style=style)
        name = ""  # only before the first of its findings


def _show_summary(severities: list[Severity]) -> None:
    unknown = severities.count(Severity.UNKNOWN)
    to_people().print(
        f"{counted(severities.count(Severity.ERROR), 'error')}, "
        f"{counted(severities.count(Severity.WARNING), 'warning')}"
        f"{f', {unknown:,} not checked' if unknown else ''}",
        style="bold",
    )


def show_canary(hops: Iterable[CanaryHop], *, json: bool) -> bool:
    """Print each hop of a canary. Return True if it reached all of them."""
    reached_all = True
    with to_people().status("following the canary"):
        for hop in hops:
            reached_all &= hop.seconds is not None
            if json:
                write_json({"hop": hop.name, "seconds": hop.seconds, "message": hop.message, "remedy": hop.remedy})
            elif hop.seconds is None:
                _show(f"✗ canary, {hop.name:<10} {hop.message}", remedy=hop.remedy, style="red")
            else:
                _show(f"✓ canary, {hop.name:<10} {hop.seconds:.1f} s: {hop.message}", style="green")
    return reached_all


def _show(line: str, *, remedy: str = "", style: str) -> None:
    """Print a line, and the remedy below it. Neither is wrapped, so that a command can be copied."""
    console = results()
    console.print(printable(line), style=style, soft_wrap=True)
    if remedy:
        console.print(printable(f"    → {remedy}"), soft_wrap=True)
