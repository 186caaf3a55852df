"""`mailfold lookup`: the verdict on an address, and the facts behind it."""

import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import msgspec
import typer

from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.settings import BUCKET
from pipeline.cli.address_list import read_addresses
from pipeline.cli.options import EXIT_SUPPRESSED, RegionOption, StackOption, parse_scope
from pipeline.cli.output import counted, results, say, write_json
from pipeline.cli.target import target
from pipeline.errors import NotAnAddress, UsageError
from pipeline.lookup import LookupResult, LookupStatus, lookup
from pipeline.policy import ESSENTIAL, PURPOSE_PATTERN
from pipeline.standing import EVERY_SCOPE, Evidence, FactKind, kept_facts
from pipeline.timestamp import format_time, from_ms
from pipeline.verdict import ReasonHeld

ADDRESSES_PER_BATCH = 1_000  # results are printed while a long list is still being read


def lookup_command(
    addresses: Annotated[
        list[str], typer.Argument(metavar="ADDRESS", help="Addresses; -: one on each line of standard input.")
    ],
    *,
    scope: Annotated[
        str, typer.Option(help="The sender's scope, such as its SES tenant. Facts about all mail count in any case.")
    ] = EVERY_SCOPE,
    purpose: Annotated[
        str | None, typer.Option(help="The purpose of the mail, such as essential: mail that a person waits for.")
    ] = None,
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each address.")] = False,
    exit_code: Annotated[
        bool, typer.Option("--exit-code", help=f"Exit with {EXIT_SUPPRESSED} if any of the addresses is suppressed.")
    ] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Show whether an address is suppressed: verdict, reasons, since when, and the facts.

    With --scope, complaints about that tenant's mail count too. With --purpose, reasons from which the policy exempts
    mail of that purpose do not bind it. A purpose that no reason exempts is bound by every reason.

    A text that is not exactly one address is never clear: it is reported, and the exit code is 1. The answer itself
    changes the exit code only with --exit-code.

    Example: mailfold lookup --scope acme --purpose essential bounce+ann@example.com success+bob@example.com
    """
    if purpose is not None and not re.fullmatch(PURPOSE_PATTERN, purpose):
        raise UsageError(f"not a purpose: {purpose!r}; write it like {ESSENTIAL}")
    scope = parse_scope(scope)
    cloud = target(stack, region, unused=BUCKET)
    store = DynamoSuppressionStore(cloud.clients.dynamodb, table=cloud.settings.table)
    key, remaining, console = cloud.erasure_key(), read_addresses(addresses), results()
    statuses: Counter[LookupStatus] = Counter()
    while batch := list(islice(remaining, ADDRESSES_PER_BATCH)):
        now = datetime.now(UTC)
        for result in lookup(batch, store=store, now=now, scope=scope, purpose=purpose, erasure_key=key):
            statuses[result.status] += 1
            if json:
                write_json(lookup_json(result))
            else:
                say(lookup_lines(result), to=console)
    if invalid_count := statuses[LookupStatus.NOT_AN_ADDRESS]:
        raise NotAnAddress(
            f"{counted(invalid_count, 'argument')} that {'is' if invalid_count == 1 else 'are'} not one "
            "e-mail address: write each address as an argument of its own"
        )
    if exit_code and statuses[LookupStatus.SUPPRESSED]:
        sys.stdout.flush()
        raise typer.Exit(EXIT_SUPPRESSED)


def lookup_json(result: LookupResult) -> dict[str, Any]:
    """Return a result as the JSON object that `mailfold lookup --json` prints."""
    verdict = result.binding
    return {
        "requested": result.requested,
        "address": result.address,
        "status": result.status,
        "purpose": result.purpose,
        "is_exempt": result.is_exempt,
        "suppressed": None if result.address is None else result.status is LookupStatus.SUPPRESSED,
        "reason": verdict.reason,
        "since": format_time(verdict.since) if verdict.since else None,
        "until": format_time(verdict.until) if verdict.until else None,
        "certain": verdict.certain,
        "reasons": [_reason_json(scope, held) for scope, held in result.scoped_reasons],
        "facts": [
            {"fact": fact, "scope": scope, "at": format_time(from_ms(evidence.at_ms)), **msgspec.to_builtins(evidence)}
            for scope, standing in result.standings.items()
            for fact, evidence in kept_facts(standing)
        ],
    }


def _reason_json(scope: str, held: ReasonHeld) -> dict[str, Any]:
    return {
        "reason": held.reason,
        "scope": scope,
        "since": format_time(held.since) if held.since else None,
        "until": format_time(held.until) if held.until else None,
        "certain": held.certain,
        "exempt": held.exempt,
    }


def lookup_lines(result: LookupResult) -> Iterator[str]:
    """Yield a result as lines for people."""
    if result.address is None:
        yield f"{result.requested}: not one e-mail address"
        return
    reasons = result.scoped_reasons
    if result.status is LookupStatus.SUPPRESSED and result.purpose:
        reasons.sort(key=lambda scoped: result.purpose in scoped[1].exempt)  # the gravest that binds comes first
    if not reasons:
        yield f"{result.address}: clear"
    for number, reason in enumerate(reasons):
        yield f"{'  also' if number else f'{result.address}: {_state(result)}'} {_reason_text(*reason)}"
    for scope, standing in result.standings.items():
        for fact, evidence in kept_facts(standing):
            yield from _evidence_lines(fact, evidence, scope)


def _state(result: LookupResult) -> str:
    """Return the answer about an address for which a reason holds, or held until it ended."""
    if result.status is LookupStatus.SUPPRESSED:
        return f"suppressed for {result.purpose} mail too" if result.purpose else "suppressed"
    if result.is_exempt:
        return f"clear for {result.purpose} mail only; other mail is suppressed"
    return "clear again; was suppressed"


def _reason_text(scope: str, held: ReasonHeld) -> str:
    since = f" since {format_time(held.since)}" if held.since else ""
    until = f"until {format_time(held.until)}" if held.until else "permanent"
    doubt = "" if held.certain else ", uncertain"
    exempt = f", except {' and '.join(held.exempt)} mail" if held.exempt else ""
    return f"({held.reason}{_in(scope)}){since}, {until}{doubt}{exempt}"


def _in(scope: str) -> str:
    return "" if scope == EVERY_SCOPE else f" in {scope}"


def _evidence_lines(fact: FactKind, evidence: Evidence, scope: str) -> Iterator[str]:
    at = format_time(from_ms(evidence.at_ms)) if evidence.at_ms else "at an unknown time"
    yield f"  {fact:<20} {at}  {evidence.sub_type} {evidence.status}".rstrip() + _in(scope)
    yield f"    event {evidence.event_id}"
    if evidence.diagnostic:
        yield f"    {evidence.diagnostic}"
