"""`mailfold revert`: release the addresses that only the false bounces of one incident suppress."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

import typer
from rich.progress import SpinnerColumn, TimeElapsedColumn

from pipeline.address import canonical, domain
from pipeline.cli.decide import DecisionTarget, carry_out, decision_target
from pipeline.cli.decision_options import (
    AlsoSesOption,
    AuthorOption,
    DecisionOptions,
    DryRunOption,
    JsonOption,
    NoWaitOption,
    RequestOption,
    YesOption,
)
from pipeline.cli.decision_output import LeftAlone
from pipeline.cli.options import RegionOption, StackOption, parse_moment
from pipeline.cli.output import counted, progress
from pipeline.decision_batch import plan_decision
from pipeline.errors import UsageError
from pipeline.ports import Item
from pipeline.revert import RevertChoice, Selected, Window, select
from pipeline.standing import EVERY_SCOPE, FactKind, Key

ITEMS_PER_UPDATE = 1_000  # of the progress display


def revert_command(
    *,
    since: Annotated[str, typer.Option(help="The first false bounce was at or after this date or time, UTC.")],
    until: Annotated[str, typer.Option(help="The last false bounce was before this date or time, UTC.")],
    recipient_domain: Annotated[
        str, typer.Option("--domain", metavar="D", help="The recipients' domain, without its subdomains.")
    ],
    status: Annotated[
        str, typer.Option(metavar="PATTERN", help="Only bounces with this status, such as '5.7.*'.")
    ] = "*",
    reason: Annotated[
        str | None, typer.Option("--reason", metavar="TEXT", help="Why; by default false bounces of that time.")
    ] = None,
    also_ses: AlsoSesOption = False,
    author: AuthorOption = None,
    request: RequestOption = None,
    yes: YesOption = False,
    dry_run: DryRunOption = False,
    no_wait: NoWaitOption = False,
    json: JsonOption = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Release addresses that only false bounces suppress.

    For a provider that bounced all mail for a time. The whole table is read. An address is released if each permanent
    bounce that suppresses it lies in the window, with the status, and no other reason holds. A complaint, an operator's
    decision, SES's global list or a bounce at another time keeps an address suppressed, and it is listed.

    Each release counts from the address's newest bounce of the window, not from now. So it lifts nothing that happened
    later. Bounces of the window that arrive afterwards suppress again: repeat the command for them. Safe to repeat.

    Example: mailfold revert --since 2026-03-01T09:00 --until 2026-03-01T11:00 --domain example.com --dry-run
    """
    options = DecisionOptions(
        reason=f"false bounces of {recipient_domain} from {since} until {until}" if reason is None else reason,
        author=author,
        request_id=request,
        also_ses=also_ses,
        yes=yes,
        dry_run=dry_run,
        no_wait=no_wait,
        json=json,
    )
    options.check()
    window = _window(since, until, recipient_domain, status)
    at = decision_target(stack, region)
    selected = list(_selected(at, window))
    now = at.clock.now()
    batch = options.batch(at.cloud, now=now)
    decisions = [
        plan_decision(
            batch,
            FactKind.RELEASE,
            key,
            spelling=key.address,
            items={EVERY_SCOPE: item},
            policy=at.cloud.settings.policy,
            now=now,
            at_ms=choice.at_ms,
        )
        for key, item, choice in selected
        if choice.selection is RevertChoice.RELEASED
    ]
    left_alone = [
        LeftAlone(key=key, why=_why(choice))
        for key, _, choice in selected
        if choice.selection is not RevertChoice.RELEASED
    ]
    carry_out(at, batch, decisions, options, left_alone=left_alone)


def _why(choice: Selected) -> str:
    return f"{choice.selection}: {', '.join(choice.reasons)}" if choice.reasons else choice.selection


def _window(since: str, until: str, recipient_domain: str, status: str) -> Window:
    begin, end = parse_moment(since), parse_moment(until)
    address = canonical(f"any@{recipient_domain}")
    if not begin or not end or begin >= end:
        raise UsageError("--since must be earlier than --until")
    if address is None:
        raise UsageError(f"not a domain: {recipient_domain!r}; write it like example.com")
    return Window(since=begin, until=end, domain=domain(address), status=status)


def _selected(at: DecisionTarget, window: Window) -> Iterator[tuple[Key, Item, Selected]]:
    """Yield the addresses with a bounce in the window."""
    found = 0
    with progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as display:
        task = display.add_task("reading the table")
        for number, (key, item) in enumerate(at.store.scan(), 1):
            choice = select(key, item, window, now=at.clock.now())
            if choice:
                found += 1
                yield key, item, choice
            if number % ITEMS_PER_UPDATE == 0:
                display.update(task, description=f"{counted(number, 'item')} of the table read, {found:,} concerned")
