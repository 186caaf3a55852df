"""`mailfold decode`: SES payloads as one line of JSON for each record inside."""

import sys
from functools import cache
from typing import Annotated, Any

import typer

from pipeline.aws.archive.objects import open_object
from pipeline.batch import group_by_key, quarantine_reason
from pipeline.cli.options import RegionOption, StackOption
from pipeline.cli.output import counted, first_few, json_line
from pipeline.cli.sources import STANDARD_INPUT, UNREADABLE, ConnectS3, Source, find_sources, payloads
from pipeline.cli.target import target
from pipeline.decode import decode, unusable_recipients
from pipeline.errors import MailfoldError
from pipeline.event import Event, NotAnEvent, Outcome
from pipeline.fact import facts, is_recognized
from pipeline.policy import DEFAULT_POLICY, verdict
from pipeline.timestamp import format_time


def decode_command(
    files: Annotated[
        list[str] | None,
        typer.Argument(metavar="FILE", help="Files, folders, s3://bucket/prefix; none, or -: standard input."),
    ] = None,
    *,
    stack: StackOption = None,
    region: RegionOption = None,
) -> None:
    """Decode SES payloads in any envelope: one line of JSON for each record, in order.

    A file holds one JSON document, one on each line (NDJSON), or one after the other; plain or gzip. A folder is all
    files below it. If a record cannot be read, or names a recipient that is not an address, its line says so, and the
    exit code is 1.

    Example: mailfold decode schemas/wire/examples/v1.sns-envelope.pass.json
    """
    s3 = cache(lambda: target(stack, region).clients.s3)
    errors: list[MailfoldError] = []
    unreadable_count = 0
    for name in files or [STANDARD_INPUT]:
        try:
            for source in find_sources([name], s3=s3):
                unreadable_count += _decode(source, s3, errors)
        except UNREADABLE as error:
            errors.append(error)
    sys.stdout.buffer.flush()
    if errors:
        raise type(errors[0])("; ".join(first_few([str(error) for error in errors])))
    if unreadable_count:
        raise RecordsUnreadable(f"cannot be read whole: {counted(unreadable_count, 'record')}")


class RecordsUnreadable(MailfoldError):
    """Some records cannot be read, or name recipients that are not addresses. Their lines say which."""


def describe_outcome(outcome: Outcome) -> dict[str, Any]:
    """Return an outcome as the JSON object that `mailfold decode` prints."""
    if isinstance(outcome, Event):
        return {
            "event_id": outcome.id,
            "kind": outcome.kind,
            "occurred_at": format_time(outcome.occurred_at) if outcome.occurred_at else None,
            "sent_at": format_time(outcome.sent_at) if outcome.sent_at else None,
            "message_id": outcome.message_id,
            "recipients": outcome.recipients,
            **({"unusable_recipients": unusable_recipients(outcome)} if outcome.unusable_recipients else {}),
            "envelopes": outcome.envelopes,
            **({} if is_recognized(outcome) else {"unrecognized": True}),
            "facts": [{"address": f.key.address, "scope": f.key.scope, "fact": f.kind} for f in facts(outcome)],
            "suppresses": suppresses(outcome),
        }
    return {"ignored": outcome.why} if isinstance(outcome, NotAnEvent) else {"error": outcome.why}


def suppresses(event: Event) -> bool:
    """Return True if the event alone suppresses an address under the default policy."""
    facts_by_key = group_by_key(facts(event))
    return any(verdict(facts, DEFAULT_POLICY, address=key.address).suppressed for key, facts in facts_by_key.items())


def _decode(source: Source, s3: ConnectS3, errors: list[MailfoldError]) -> int:
    """Print a source's records, and return how many cannot be read whole. Append the error that ends it."""
    unreadable_count = 0
    try:
        for payload in payloads(source.name, open_uri=lambda uri: open_object(s3(), uri)):
            unreadable_count += _write(payload.data)
    except UNREADABLE as error:
        errors.append(error)
    return unreadable_count


def _write(payload: bytes) -> int:
    """Print a line for each record, and return how many cannot be read whole."""
    outcomes = decode(payload)
    for outcome in outcomes:
        sys.stdout.buffer.write(json_line(describe_outcome(outcome)))
    if sys.stdout.isatty():
        sys.stdout.buffer.flush()
    return sum(quarantine_reason(outcome) is not None for outcome in outcomes)
