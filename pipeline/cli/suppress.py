"""`mailfold suppress` and `mailfold release`: an operator's decision about addresses."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Annotated

import typer

from pipeline.address import Address, Mailbox, mailboxes
from pipeline.cli.address_list import read_addresses, read_csv_addresses
from pipeline.cli.decide import DecisionTarget, carry_out, decision_target
from pipeline.cli.decision_options import (
    AlsoSesOption,
    AuthorOption,
    DecisionOptions,
    DryRunOption,
    JsonOption,
    NoWaitOption,
    ReasonOption,
    RequestOption,
    ScopeOption,
    YesOption,
)
from pipeline.cli.options import RegionOption, StackOption, parse_scope
from pipeline.cli.output import counted, first_few, progress
from pipeline.decision_batch import DecisionBatch, PlannedDecision, plan_decision
from pipeline.errors import NotAnAddress, UsageError
from pipeline.lookup import address_forms
from pipeline.ports import NO_ITEM, Item
from pipeline.standing import EVERY_SCOPE, FactKind, Key

ADDRESSES_PER_LOOK = 1_000

AddressesArgument = Annotated[
    list[str] | None,
    typer.Argument(metavar="ADDRESS", help="Addresses; -: one on each line of standard input."),
]
CsvOption = Annotated[
    str | None, typer.Option("--csv", metavar="FILE", help="A CSV file with a column of addresses; -: standard input.")
]
ColumnOption = Annotated[
    str | None, typer.Option("--column", metavar="NAME", help="That column's name; by default address or email.")
]


def _read(arguments: Sequence[str] | None, csv: str | None, column: str | None) -> Iterator[str]:
    """Return the addresses that the arguments name.

    Raises:
        UsageError: They name none, or arguments and a CSV file.
    """
    if bool(arguments) == bool(csv) or (column and not csv):
        raise UsageError("which addresses? Write them as arguments, or - for standard input, or name a file with --csv")
    return read_csv_addresses(csv, column=column) if csv else read_addresses(arguments or ())


def _decide(
    action: FactKind,
    texts: Iterator[str],
    options: DecisionOptions,
    *,
    scope: str,
    stack: str | None,
    region: str | None,
) -> None:
    options.check()
    scope = parse_scope(scope)
    requested = _mailboxes(texts)
    at = decision_target(stack, region)
    batch, decisions = _plan(at, action, requested, options, scope=scope)
    carry_out(at, batch, decisions, options)


def _mailboxes(texts: Iterator[str]) -> list[Mailbox]:
    """Return the mailbox in each text, each address once.

    Raises:
        NotAnAddress: A text is not one address. Nothing is decided about any.
        UsageError: There is no text.
    """
    found: dict[str, Mailbox] = {}
    invalid: list[int] = []
    number = 0
    for number, text in enumerate(texts, 1):
        parsed = mailboxes(text)
        if len(parsed.found) == 1 and not parsed.unusable:
            found.setdefault(parsed.found[0].address, parsed.found[0])
        else:
            invalid.append(number)
    if invalid:
        places = ", ".join(first_few([str(number) for number in invalid]))
        raise NotAnAddress(
            f"{counted(len(invalid), 'entry', 'entries')} of {number:,} that {'is' if len(invalid) == 1 else 'are'} "
            f"not one e-mail address, number {places}: correct them; nothing was decided"
        )
    if not found:
        raise UsageError("there is no address in the input: nothing was decided")
    return list(found.values())


def _plan(
    at: DecisionTarget, action: FactKind, requested: Sequence[Mailbox], options: DecisionOptions, *, scope: str
) -> tuple[DecisionBatch, list[PlannedDecision]]:
    """Read the table, and return the request with its decisions. It is not later than what it is shown."""
    at.store.load([Key(requested[0].address)])  # its response states the service's time
    now = at.clock.now()
    key, items = at.cloud.erasure_key(), dict[Key, Item]()
    with progress("reading the table: {task.completed:,}/{task.total:,}") as display:
        task = display.add_task("", total=len(requested))
        for start in range(0, len(requested), ADDRESSES_PER_LOOK):
            part = requested[start : start + ADDRESSES_PER_LOOK]
            forms = (form for mailbox in part for form in address_forms(mailbox.address, key))
            items |= at.store.load(dict.fromkeys(Key(form, name) for form in forms for name in (EVERY_SCOPE, scope)))
            display.advance(task, len(part))
    batch = options.batch(at.cloud, now=now, items=items.values())
    return batch, [
        plan_decision(
            batch,
            action,
            Key(form, scope),
            spelling=mailbox.spelling if form == mailbox.address else form,
            items={name: items[Key(form, name)] for name in (EVERY_SCOPE, scope)},
            policy=at.cloud.settings.policy,
            now=now,
            requested=mailbox.spelling,
        )
        for mailbox in requested
        for form in _decided_forms(mailbox, scope, items, key)
    ]


def _decided_forms(mailbox: Mailbox, scope: str, items: Mapping[Key, Item], key: bytes | None) -> list[Address]:
    """Return the addresses that a decision is about: of an erased person, the pseudonym, and so the log names no one.

    Both, if there are facts about both.
    """
    own, *erased = address_forms(mailbox.address, key)
    known = [form for form in (own, *erased) if any(items[Key(form, name)] != NO_ITEM for name in (EVERY_SCOPE, scope))]
    return known or [own]


def _command(action: FactKind, description: str) -> Callable[..., None]:
    """Return the command that decides so. Both have the same options."""

    def command(
        addresses: AddressesArgument = None,
        *,
        reason: ReasonOption,
        scope: ScopeOption = EVERY_SCOPE,
        csv: CsvOption = None,
        column: ColumnOption = None,
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
        options = DecisionOptions(
            reason=reason,
            author=author,
            request_id=request,
            also_ses=also_ses,
            yes=yes,
            dry_run=dry_run,
            no_wait=no_wait,
            json=json,
        )
        _decide(action, _read(addresses, csv, column), options, scope=scope, stack=stack, region=region)

    command.__doc__ = description
    return command


suppress_command = _command(
    FactKind.SUPPRESS,
    """Suppress addresses until a later release.

    The decision is an event: it goes into the event log first, then into the feedback stream, and every rebuild keeps
    it. The verdicts before and after are shown first. More than five addresses need a yes. A request that failed is
    repeated with its --id, which decides nothing twice. `mailfold undo` takes a request back.

    With --also-ses, each address is put on SES's own list too, one a second.

    Example: mailfold suppress wrong.number@example.com --reason "asked by phone, ticket 4711" --as "Eve Lee"
    """,
)
release_command = _command(
    FactKind.RELEASE,
    """Release addresses: what is known suppresses no more.

    The decision is an event: it goes into the event log first, then into the feedback stream, and every rebuild keeps
    it. The verdicts before and after are shown first. More than five addresses, or a complaint that is lifted, need a
    yes. What happens later counts again. A request that failed is repeated with its --id, which decides nothing twice
    and lifts nothing that happened since. `mailfold undo` takes a request back.

    With --scope, only what is known in that scope is lifted. With --also-ses, each spelling of an address that is known
    is taken off SES's own list too, one a second.

    Example: mailfold release full.mailbox@example.com --reason "works again, ticket 4712" --also-ses
    """,
)
