"""`mailfold lookup`: whether to send to an address, and why not."""

import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
import typer

from pipeline.cli.source import STANDARD_INPUT
from pipeline.cli.target import settings
from pipeline.cli.words import printable, results
from pipeline.errors import Misuse
from pipeline.lookup import Answer, lookup
from pipeline.standing import Evidence, Fact, facts_of
from pipeline.timestamp import from_ms, show


def lookup_command(
    addresses: Annotated[
        list[str], typer.Argument(metavar="ADDRESS…|-", help="Addresses; -: one on each line of standard input.")
    ],
    json: Annotated[bool, typer.Option("--json", help="One line of JSON for each address.")] = False,
) -> None:
    """Ask whether to send: verdict, reason, since when, and the evidence.

    Example: mailfold lookup bounce+ann@example.com success@simulator.amazonses.com
    """
    from pipeline.aws.clients import client  # noqa: PLC0415 - boto3 takes a third of a second
    from pipeline.aws.store_dynamodb import DynamoSuppressionStore  # noqa: PLC0415

    where = settings()
    store = DynamoSuppressionStore(client("dynamodb"), table=where.table)
    asked = list(_asked(addresses))
    answers = lookup(asked, store=store, now=datetime.now(UTC))
    for answer in answers:
        if json:
            sys.stdout.write(msgspec.json.encode(as_json(answer)).decode() + "\n")
        else:
            results().print("\n".join(in_words(answer)), markup=False)
    if wrong := [answer for answer in answers if answer.address is None]:
        raise Misuse(f"{len(wrong)} of {len(answers)} are no e-mail address")


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
        yield f"{printable(answer.asked)}: no e-mail address"
        return
    if not verdict.suppressed:
        yield f"{printable(answer.address)}: clear"
    else:
        since = f" since {show(verdict.since)}" if verdict.since else ""
        until = f"until {show(verdict.until)}" if verdict.until else "for good"
        doubt = "" if verdict.certain else ", one of several candidates"
        state = "suppressed" if answer.suppressed else "clear again; was suppressed"
        yield f"{printable(answer.address)}: {state} ({verdict.reason}){since}, {until}{doubt}"
    for fact, evidence in facts_of(answer.standing):
        yield _evidence_in_words(fact, evidence)


def _evidence_in_words(fact: Fact, evidence: Evidence) -> str:
    at = show(from_ms(evidence.at_ms)) if evidence.at_ms else "at an unknown time"
    said = " ".join(filter(None, (evidence.sub_type, evidence.status, printable(evidence.diagnostic))))
    return f"  {fact:<20} {at}  event {evidence.event_id}  {said}".rstrip()


def _asked(addresses: list[str]) -> Iterator[str]:
    for address in addresses:
        if address == STANDARD_INPUT:
            yield from (line.strip() for line in sys.stdin if line.strip())
        else:
            yield address
