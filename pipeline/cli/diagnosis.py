"""What the doctor finds, as it is found: for people, or for programs."""

from collections.abc import Iterable

import msgspec

from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.examination import Examined, examine
from pipeline.aws.doctor.finding import Severity
from pipeline.aws.doctor.flight import Hop
from pipeline.cli.words import counted, printable, results, to_people, write_json

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
        for examined in examine(deployment):
            status.update(f"looked at {examined.link}")
            severities += [finding.severity for finding in examined.findings]
            _show(examined, json=json)
    if not json:
        _sum_up(severities)
    return Severity.FAULT not in severities


def _show(examined: Examined, *, json: bool) -> None:
    link = examined.link
    for finding in examined.findings:
        if json:
            write_json({"link": link, **msgspec.to_builtins(finding)})
            continue
        mark, style = LOOKS[finding.severity]
        _write(f"{mark} {link:<{LINK_WIDTH}} {finding.words}", mending=finding.mending, style=style)
        link = ""  # once for all its findings


def show_flight(hops: Iterable[Hop], *, json: bool) -> bool:
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
