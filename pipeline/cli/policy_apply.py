"""`mailfold policy apply`: publish a policy, and derive every verdict again."""

import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.published_policy import PolicyInForce, PolicySource
from pipeline.aws.runtime import KNOWN_AFTER_SECONDS
from pipeline.aws.stack import read_tables
from pipeline.aws.tables_parameter import newer_than_in_force, publish_policy
from pipeline.cli import prompt
from pipeline.cli.options import RegionOption, StackOption
from pipeline.cli.output import counted, results, say, saying_on_stop, to_people, write_json
from pipeline.cli.policy_comparison import Show, in_force, read_policy, read_table, shown_progress
from pipeline.cli.policy_text import difference_json, difference_lines
from pipeline.cli.target import Target, target
from pipeline.errors import NotFound, UsageError
from pipeline.policy import Policy
from pipeline.policy_difference import PolicyDifference, compare_policies
from pipeline.rederivation import Pass, TableResult, Tables, rederive_all

TOP = 5  # providers and scopes to show
PUBLISHED_BEFORE = timedelta(hours=1)  # longer than projectors take, and than clocks differ


def apply_command(
    file: Annotated[
        Path | None,
        typer.Argument(metavar="[FILE]", help="A policy as JSON; without it, finish applying the one in force."),
    ] = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Publish the policy without asking.")] = False,
    wait: Annotated[
        int, typer.Option(min=0, metavar="SECONDS", help="Time after which every projector has the policy.")
    ] = KNOWN_AFTER_SECONDS,
    json: Annotated[bool, typer.Option("--json", help="Print the result as JSON.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Publish a policy and derive every verdict of the tables again, without a change of their facts.

    What changes in the live table is shown before, and confirmed. Feedback may arrive meanwhile: a projector that meets
    a verdict of the new policy reads it, and items that another one writes under the old policy are found by a last
    pass, after a wait. Safe to interrupt: `mailfold policy apply` without a file finishes it.

    Example: mailfold policy apply
    """
    policy = read_policy(file, json=json) if file else None
    cloud = target(stack, region)
    parameter = cloud.settings.tables_parameter
    if parameter is None:
        raise UsageError("no parameter names the live table, so no policy can be published: name a stack with --stack")
    current = in_force(cloud)
    policy = newer_than_in_force(policy or current.policy, current.policy)
    difference = None
    if policy != current.policy:
        difference = _difference(cloud, policy, current.policy)
        if not _is_confirmed(yes=yes):
            say(["nothing is changed"], to=to_people())
            return
        _publish(cloud, parameter, policy)
    wait_seconds = wait if difference or _may_be_unknown(current) else 0
    tables = _rederive(cloud, parameter, policy, wait_seconds=wait_seconds)
    if json:
        changes = difference and difference_json(difference, top=TOP, with_addresses=False)
        write_json({"version": policy.version, "difference": changes, "tables": msgspec.to_builtins(tables)})
    else:
        say(_result_lines(policy, tables), to=results())


def _difference(cloud: Target, policy: Policy, current: Policy) -> PolicyDifference:
    """Show what a policy changes in the live table."""
    with shown_progress("reading the table") as show:
        standings = read_table(cloud, show)
        difference = compare_policies(standings, before=current, after=policy, moment=datetime.now(UTC))
    say([f"policy version {policy.version} in place of {current.version}:"], to=to_people())
    say(difference_lines(difference, top=TOP, with_addresses=False), to=to_people())
    return difference


def _is_confirmed(*, yes: bool) -> bool:
    no_terminal = "no terminal to ask for confirmation: use --yes to apply the policy"
    return yes or prompt.ask_yes_no("Apply this policy?", no_terminal=no_terminal)


def _publish(cloud: Target, parameter: str, policy: Policy) -> None:
    if not publish_policy(cloud.clients.ssm, parameter=parameter, policy=policy):
        raise NotFound(f"there is no parameter {parameter} that names the live table: create it with `mailfold deploy`")
    say([f"policy version {policy.version} is in force"], to=to_people())


def _may_be_unknown(current: PolicyInForce) -> bool:
    """Return True if a projector may still have an older policy than the one in force."""
    if current.changed_at is None:
        return current.source is not PolicySource.DEFAULT
    return datetime.now(UTC) - current.changed_at < PUBLISHED_BEFORE


def _rederive(cloud: Target, parameter: str, policy: Policy, *, wait_seconds: float) -> Mapping[str, TableResult]:
    dynamodb, until_seconds = cloud.clients.dynamodb, time.monotonic() + wait_seconds

    def tables() -> Tables:
        found = read_tables(cloud.clients.ssm, parameter=parameter)
        names = (found.live, *found.shadow_tables) if found else (cloud.settings.table, *cloud.shadow_tables)
        return {name: DynamoSuppressionStore(dynamodb, table=name) for name in names}

    with (
        saying_on_stop(lambda: "stopped: the policy is in force; `mailfold policy apply` without a file finishes it"),
        shown_progress("reading the table") as show,
    ):
        return rederive_all(
            tables,
            policy=policy,
            wait=lambda: _wait(until_seconds, show),
            progress=lambda so_far: show(pass_line(so_far)),
        )


def pass_line(so_far: Pass) -> str:
    """Return a pass, so far or in the end, as a line for people."""
    return f"{so_far.table}: {counted(so_far.items, 'item')}, {so_far.written:,} with a new verdict"


def _wait(until_seconds: float, show: Show) -> None:
    while (left_seconds := until_seconds - time.monotonic()) > 0:
        show(f"waiting {left_seconds:,.0f} s, until every projector has the policy")
        time.sleep(min(left_seconds, 1.0))


def _result_lines(policy: Policy, results_by_table: Mapping[str, TableResult]) -> Iterator[str]:
    for name, result in results_by_table.items():
        items = counted(result.items, "item")
        yield f"{name}: {items} under policy version {policy.version}, {result.written:,} verdicts derived again"
        if result.digest_after == result.digest_before:
            yield f"  digest {result.digest_after}, as before"
        else:
            yield f"  digest {result.digest_after}, before {result.digest_before}: feedback arrived meanwhile"
