"""A leftover as lines for people, and as JSON for programs."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import Any

from pipeline.batch import StreamRecord
from pipeline.cli.decode import describe_outcome
from pipeline.cli.output import counted, printable, size
from pipeline.decision import decode_arrived
from pipeline.leftover import Leftover, Place
from pipeline.timestamp import format_time

MAX_TEXT = 4_000  # characters of a record that `show` prints; `--raw` prints all


def describe_leftover(leftover: Leftover) -> dict[str, Any]:
    """Return a leftover as the JSON object that `list` prints. It has no content of a record."""
    return {
        "id": leftover.id,
        "place": leftover.place,
        "at": format_time(leftover.at),
        "reason": leftover.reason,
        "position": leftover.position,
        "size_bytes": leftover.size_bytes,
        "records": len(leftover.records),
        "expired": leftover.expired,
        "redriven": leftover.is_redriven,
    }


def leftover_lines(leftover: Leftover) -> Iterator[str]:
    """Yield a leftover as lines of the list."""
    number = f"{counted(len(leftover.records), 'record')}, {size(leftover.size_bytes)}"
    mark = ", redriven" if leftover.is_redriven else ""
    yield f"{format_time(leftover.at)}  {leftover.place}  {number}{mark}: {leftover.reason}"
    yield f"    {leftover.id}"
    if leftover.position not in leftover.id:
        yield f"    {leftover.position}"
    if leftover.expired:
        yield f"    {counted(leftover.expired, 'record')} expired in the stream; the log has them: `mailfold replay`"


def summary_line(found: Sequence[Leftover]) -> str:
    """Return the number of leftovers that wait, by place."""
    waiting = [leftover for leftover in found if not leftover.is_redriven]
    numbers = [(place, sum(leftover.place is place for leftover in waiting)) for place in Place]
    places = ", ".join(f"{number:,} {place}" for place, number in numbers if number)
    return f"{counted(len(waiting), 'leftover')}{f' ({places})' if places else ''}"


def detailed_lines(leftover: Leftover) -> Iterator[str]:
    """Yield a leftover as lines, with its records and what the decoder makes of each today."""
    yield from leftover_lines(leftover)
    for record in leftover.records:
        described = describe_record(record)
        yield ""
        yield f"record at {described['position']}, {size(described['size_bytes'])}"
        for outcome in described["today"]:
            yield f"  today: {_outcome_line(outcome)}"
        text = described["text"]
        yield f"  {text[:MAX_TEXT]}{' … (--raw prints all of it)' if len(text) > MAX_TEXT else ''}"


def _outcome_line(outcome: dict[str, Any]) -> str:
    if "error" in outcome:
        return f"rejected: {outcome['error']}"
    if "ignored" in outcome:
        return f"not about a sent e-mail: {outcome['ignored']}"
    unusable = len(outcome.get("unusable_recipients", ()))
    rejected = f", rejected: {counted(unusable, 'recipient')} without a usable address" if unusable else ""
    return f"{outcome['kind']}, event {outcome['event_id']}{rejected}"


def describe_record(record: StreamRecord) -> dict[str, Any]:
    """Return a record as the JSON object that `show` prints."""
    outcomes = decode_arrived(record.payload, arrived_at=datetime.now(UTC))
    return {
        "position": record.position,
        "size_bytes": len(record.payload),
        "today": [describe_outcome(outcome) for outcome in outcomes],
        "text": printable(record.payload.decode(errors="replace")),
    }
