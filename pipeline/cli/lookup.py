"""`mailfold lookup`: the verdict on an address, and the evidence for it."""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import msgspec
import typer

from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.cli.options import RegionOption, StackOption
from pipeline.cli.output import encodable, results, say, write_json
from pipeline.cli.sources import STANDARD_INPUT
from pipeline.cli.target import target
from pipeline.document import strip_json
from pipeline.errors import UsageError
from pipeline.lookup import LookupResult, lookup
from pipeline.standing import Evidence, FactKind, kept_facts
from pipeline.timestamp import format_time, from_ms

ADDRESSES_PER_BATCH = 1_000  # results are printed while a long list is still being read


def lookup_command(
    addresses: Annotated[
        list[str], typer.Argument(metavar="ADDRESS", help="Addresses; -: one on each line of standard input.")
    ],
    *,
    json: Annotated[bool, typer.Option("--json", help="Print one line of JSON for each address.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Show whether an address is suppressed: verdict, reason, since when, and the evidence.

    Example: mailfold lookup bounce+ann@example.com success+bob@example.com
    """
    cloud = target(stack, region)
    store = DynamoSuppressionStore(cloud.clients.dynamodb, table=cloud.settings.table)
    remaining, invalid_count, console = _read_addresses(addresses), 0, results()
    while batch := list(islice(remaining, ADDRESSES_PER_BATCH)):
        for result in lookup(batch, store=store, now=datetime.now(UTC)):
            invalid_count += result.address is None
            if json:
                write_json(lookup_json(result))
            else:
                say(lookup_lines(result), to=console)
    if invalid_count:
        raise UsageError(f"invalid e-mail addresses: {invalid_count:,}")


def lookup_json(result: LookupResult) -> dict[str, Any]:
    """Return a result as the JSON object that `mailfold lookup --json` prints."""
    verdict = result.verdict
    return {
        "requested": result.requested,
        "address": result.address,
        "suppressed": result.suppressed,
        "reason": verdict and verdict.reason,
        "since": format_time(verdict.since) if verdict and verdict.since else None,
        "until": format_time(verdict.until) if verdict and verdict.until else None,
        "certain": verdict and verdict.certain,
        "evidence": [
            {"fact": fact, "at": format_time(from_ms(evidence.at_ms)), **msgspec.to_builtins(evidence)}
            for fact, evidence in kept_facts(result.standing)
        ],
    }


def lookup_lines(result: LookupResult) -> Iterator[str]:
    """Yield a result as lines for people."""
    verdict = result.verdict
    if result.address is None or verdict is None:
        yield f"{result.requested}: not an e-mail address"
        return
    if not verdict.suppressed:
        yield f"{result.address}: clear"
    else:
        since = f" since {format_time(verdict.since)}" if verdict.since else ""
        until = f"until {format_time(verdict.until)}" if verdict.until else "permanent"
        doubt = "" if verdict.certain else ", one of several candidates"
        state = "suppressed" if result.suppressed else "clear again; was suppressed"
        yield f"{result.address}: {state} ({verdict.reason}){since}, {until}{doubt}"
    for fact, evidence in kept_facts(result.standing):
        yield from _evidence_lines(fact, evidence)


def _evidence_lines(fact: FactKind, evidence: Evidence) -> Iterator[str]:
    at = format_time(from_ms(evidence.at_ms)) if evidence.at_ms else "at an unknown time"
    yield f"  {fact:<20} {at}  {evidence.sub_type} {evidence.status}".rstrip()
    yield f"    event {evidence.event_id}"
    if evidence.diagnostic:
        yield f"    {evidence.diagnostic}"


def _read_addresses(arguments: Iterable[str]) -> Iterator[str]:
    for argument in arguments:
        if argument == STANDARD_INPUT:
            lines = map(strip_json, sys.stdin.buffer)
            yield from (line.decode(errors="replace") for line in lines if line)
        else:
            yield encodable(argument)
