"""`mailfold policy`: show the policy that derives verdicts from facts, check a new one, and compare both."""

from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from pipeline.cli.options import RegionOption, StackOption, parse_moment
from pipeline.cli.output import counted, results, say, to_people, write_json
from pipeline.cli.policy_apply import apply_command
from pipeline.cli.policy_comparison import (
    PolicyFile,
    changes_file,
    fold_log,
    in_force,
    read_policy,
    read_table,
    report_problems,
    shown_progress,
)
from pipeline.cli.policy_text import (
    difference_json,
    difference_lines,
    policy_change_lines,
    policy_json,
    policy_lines,
    source_text,
)
from pipeline.cli.target import NoCloud, target
from pipeline.errors import MailfoldError
from pipeline.policy import Policy
from pipeline.policy_check import policy_changes, policy_hash
from pipeline.policy_difference import compare_policies
from pipeline.timestamp import format_time


class DifferenceIncomplete(MailfoldError):
    """Some objects in the log were not read, so facts may be missing from the comparison."""


class FactSource(StrEnum):
    """Where the facts of a comparison come from."""

    LOG = "log"
    TABLE = "table"


def show_policy_command(
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the policy as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Show the policy in force: its rules in plain words, where it comes from, and since when.

    It is the newer one of the published policy, which `mailfold policy apply` and `mailfold deploy` write beside the
    live table's name, and of the template's parameter Policy or MAILFOLD_POLICY.

    Example: mailfold policy show
    """
    found = in_force(target(stack, region))
    if json:
        changed_at = found.changed_at and format_time(found.changed_at)
        origin = {"source": found.source, "parameter": found.parameter, "changed_at": changed_at}
        write_json(policy_json(found.policy) | origin)
        return
    say([f"policy version {found.policy.version}, {source_text(found)}"], to=results())
    say([f"SHA-256 {policy_hash(found.policy)}", *policy_lines(found.policy)], to=results())


def check_command(
    file: PolicyFile,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Check a policy: name every problem with its place, and what differs from the policy in force.

    Without a cloud, only the file is checked. The exit code is 1 if it has a problem.

    Example: mailfold policy check schemas/policy.json
    """
    policy = read_policy(file, json=json)
    try:
        current = in_force(target(stack, region)).policy
    except NoCloud:
        current = None
    if current and policy != current and policy.version <= current.version:
        report_problems([version_problem(policy, current)], json=json)
    if json:
        differs = list(policy_changes(current, policy)) if current else None
        write_json({"valid": True, **policy_json(policy), "in_force": current and current.version, "differs": differs})
        return
    say([f"policy version {policy.version} is valid, SHA-256 {policy_hash(policy)}"], to=results())
    if current is None:
        say(["no cloud is named or runs here, so it is not compared with a policy in force"], to=to_people())
    else:
        say(_comparison_lines(current, policy), to=results())


def _comparison_lines(current: Policy, policy: Policy) -> Iterator[str]:
    if policy == current:
        yield "it is the policy in force"
    else:
        yield f"it differs from version {current.version}, which is in force:"
        yield from policy_change_lines(current, policy)


def version_problem(policy: Policy, current: Policy) -> str:
    """Return the problem of a policy whose version is not greater than that of the one in force."""
    return f"$.version: {policy.version} is not greater than {current.version}, the version in force"


def diff_command(
    file: PolicyFile,
    *,
    as_of: Annotated[
        str | None, typer.Option(help="Date or time to answer for, UTC; by default now. Reasons expire.")
    ] = None,
    source: Annotated[FactSource, typer.Option(help="Fold the whole log, or read the live table.")] = FactSource.LOG,
    top: Annotated[int, typer.Option(min=1, help="Number of providers and of scopes to show.")] = 5,
    output: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write every change to a new file, one line of JSON for each.")
    ] = None,
    addresses: Annotated[bool, typer.Option(help="Show some addresses as examples.")] = True,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Say who would become suppressed or clear under another policy, before anything changes. Nothing is written.

    The whole log is folded, and look-up's answers under both policies are compared for every address and scope: by
    reason, by the provider, which is the address's domain, and by scope. A scope is a sender's, such as an SES tenant;
    * is all mail.

    Example: mailfold policy diff schemas/policy.json
    """
    policy, moment = read_policy(file, json=json), parse_moment(as_of) or datetime.now(UTC)
    cloud = target(stack, region)
    current = in_force(cloud).policy
    skipped: list[str] = []
    with shown_progress(f"reading the {source}") as show, changes_file(output) as write:
        standings = read_table(cloud, show) if source is FactSource.TABLE else fold_log(cloud, show, skipped)
        difference = compare_policies(standings, before=current, after=policy, moment=moment, on_change=write)
    head = {"before": current.version, "after": policy.version, "as_of": format_time(moment), "source": source}
    if json:
        found = difference_json(difference, top=top, with_addresses=addresses)
        write_json({**head, **found, "skipped": skipped})
    else:
        say([f"policy version {policy.version} in place of {current.version}, at {head['as_of']}:"], to=results())
        say(difference_lines(difference, top=top, with_addresses=addresses), to=results())
    if skipped:
        raise DifferenceIncomplete(f"{counted(len(skipped), 'object')} of the log skipped: facts in them are missing")


POLICY_COMMANDS = {"show": show_policy_command, "check": check_command, "diff": diff_command, "apply": apply_command}
