"""`mailfold lookup`: whether to send to an address, and why not."""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import msgspec
import typer

from pipeline.cli.options import RegionOption, StackOption
from pipeline.cli.output import encodable, results, say, write_json
from pipeline.cli.sources import STANDARD_INPUT
from pipeline.cli.target import target
from pipeline.document import strip_json
from pipeline.errors import UsageError
from pipeline.lookup import LookupResult, lookup
from pipeline.standing import Evidence, FactKind, kept_facts
from pipeline.timestamp import format_time, from_ms

ADDRESSES_PER_CALL = 1_000  # answers come while a long list is still being read


def lookup_command(
    addresses: Annotated[
        list[str], typer.Argument(metavar="ADDRESS", help="Addresses; -: one on each line of standard input.")
    ],
    *,
    json: Annotated[bool, typer.Option("--json", help="One line of JSON for each address.")] = False,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Ask whether to send: verdict, reason, since when, and the evidence.

    Example: mailfold lookup bounce+ann@example.com success+bob@example.com
    """
    from pipeline.aws.dynamodb import DynamoSuppressionStore  # noqa: PLC0415 - boto3 takes a third of a second

    cloud = target(stack, region)
    store = DynamoSuppressionStore(cloud.client("dynamodb"), table=cloud.settings.table)
    asked, wrong, console = _asked(addresses), 0, results()
    while lot := list(islice(asked, ADDRESSES_PER_CALL)):
        for answer in lookup(lot, store=store, now=datetime.now(UTC)):
            wrong += answer.address is None
            if json:
                write_json(lookup_json(answer))
            else:
                say(lookup_lines(answer), to=console)
    if wrong:
        raise UsageError("one is no e-mail address" if wrong == 1 else f"{wrong:,} are no e-mail addresses")


def lookup_json(answer: LookupResult) -> dict[str, Any]:
    """Return an answer as the JSON object that `mailfold lookup --json` prints."""
    verdict = answer.verdict
    return {
        "asked": answer.requested,
        "address": answer.address,
        "suppressed": answer.suppressed,
        "reason": verdict and verdict.reason,
        "since": format_time(verdict.since) if verdict and verdict.since else None,
        "until": format_time(verdict.until) if verdict and verdict.until else None,
        "certain": verdict and verdict.certain,
        "evidence": [
            {"fact": fact, "at": format_time(from_ms(evidence.at_ms)), **msgspec.to_builtins(evidence)}
            for fact, evidence in kept_facts(answer.standing)
        ],
    }


def lookup_lines(answer: LookupResult) -> Iterator[str]:
    """Give an answer as lines for people."""
    verdict = answer.verdict
    if answer.address is None or verdict is None:
        yield f"{answer.requested}: no e-mail address"
        return
    if not verdict.suppressed:
        yield f"{answer.address}: clear"
    else:
        since = f" since {format_time(verdict.since)}" if verdict.since else ""
        until = f"until {format_time(verdict.until)}" if verdict.until else "for good"
        doubt = "" if verdict.certain else ", one of several candidates"
        state = "suppressed" if answer.suppressed else "clear again; was suppressed"
        yield f"{answer.address}: {state} ({verdict.reason}){since}, {until}{doubt}"
    for fact, evidence in kept_facts(answer.standing):
        yield from _evidence_in_words(fact, evidence)


def _evidence_in_words(fact: FactKind, evidence: Evidence) -> Iterator[str]:
    at = format_time(from_ms(evidence.at_ms)) if evidence.at_ms else "at an unknown time"
    yield f"  {fact:<20} {at}  {evidence.sub_type} {evidence.status}".rstrip()
    yield f"    event {evidence.event_id}"
    if evidence.diagnostic:
        yield f"    {evidence.diagnostic}"


def _asked(addresses: Iterable[str]) -> Iterator[str]:
    for address in addresses:
        if address == STANDARD_INPUT:
            yield from (line.decode(errors="replace") for text in sys.stdin.buffer if (line := strip_json(text)))
        else:
            yield encodable(address)
