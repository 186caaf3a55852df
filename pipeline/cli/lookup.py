"""`mailfold lookup`: whether to send to an address, and why not."""

import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from itertools import islice
from typing import Annotated, Any

import msgspec
import typer

from pipeline.cli.option import RegionOption, StackOption
from pipeline.cli.source import STANDARD_INPUT
from pipeline.cli.target import target
from pipeline.cli.words import encodable, results, say, write_json
from pipeline.document import trimmed
from pipeline.errors import Misuse
from pipeline.lookup import Answer, lookup
from pipeline.standing import Evidence, Fact, facts_of
from pipeline.timestamp import from_ms, show

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
    from pipeline.aws.store_dynamodb import DynamoSuppressionStore  # noqa: PLC0415 - boto3 takes a third of a second

    cloud = target(stack, region)
    store = DynamoSuppressionStore(cloud.client("dynamodb"), table=cloud.settings.table)
    asked, wrong, console = _asked(addresses), 0, results()
    while lot := list(islice(asked, ADDRESSES_PER_CALL)):
        for answer in lookup(lot, store=store, now=datetime.now(UTC)):
            wrong += answer.address is None
            if json:
                write_json(as_json(answer))
            else:
                say(in_words(answer), to=console)
    if wrong:
        raise Misuse("one is no e-mail address" if wrong == 1 else f"{wrong:,} are no e-mail addresses")


def as_json(answer: Answer) -> dict[str, Any]:
    """Return an answer as the JSON object that `mailfold lookup --json` prints."""
    verdict = answer.verdict
    return {
        "asked": answer.asked,
        "address": answer.address,
        "suppressed": answer.suppressed,
        "reason": verdict and verdict.reason,
        "since": show(verdict.since) if verdict and verdict.since else None,
        "until": show(verdict.until) if verdict and verdict.until else None,
        "certain": verdict and verdict.certain,
        "evidence": [
            {"fact": fact, "at": show(from_ms(evidence.at_ms)), **msgspec.to_builtins(evidence)}
            for fact, evidence in facts_of(answer.standing)
        ],
    }


def in_words(answer: Answer) -> Iterator[str]:
    """Give an answer as lines for people."""
    verdict = answer.verdict
    if answer.address is None or verdict is None:
        yield f"{answer.asked}: no e-mail address"
        return
    if not verdict.suppressed:
        yield f"{answer.address}: clear"
    else:
        since = f" since {show(verdict.since)}" if verdict.since else ""
        until = f"until {show(verdict.until)}" if verdict.until else "for good"
        doubt = "" if verdict.certain else ", one of several candidates"
        state = "suppressed" if answer.suppressed else "clear again; was suppressed"
        yield f"{answer.address}: {state} ({verdict.reason}){since}, {until}{doubt}"
    for fact, evidence in facts_of(answer.standing):
        yield from _evidence_in_words(fact, evidence)


def _evidence_in_words(fact: Fact, evidence: Evidence) -> Iterator[str]:
    at = show(from_ms(evidence.at_ms)) if evidence.at_ms else "at an unknown time"
    yield f"  {fact:<20} {at}  {evidence.sub_type} {evidence.status}".rstrip()
    yield f"    event {evidence.event_id}"
    if evidence.diagnostic:
        yield f"    {evidence.diagnostic}"


def _asked(addresses: Iterable[str]) -> Iterator[str]:
    for address in addresses:
        if address == STANDARD_INPUT:
            yield from (line.decode(errors="replace") for text in sys.stdin.buffer if (line := trimmed(text)))
        else:
            yield encodable(address)
