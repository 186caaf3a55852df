"""What must be true of `decode` for any bytes: property tests and the fuzzer check it alike."""

import re
from collections.abc import Callable
from datetime import UTC, datetime
from time import process_time

from msgspec.structs import replace

from pipeline.batch import group_by_key
from pipeline.decode import decode
from pipeline.document import InvalidJSON, is_too_deep, repair_json
from pipeline.event import Envelope, Event, EventKind, Outcome, Poison
from pipeline.fact import facts
from pipeline.framing import split_documents
from pipeline.policy import DEFAULT_POLICY
from pipeline.projection import to_item
from pipeline.row import poison_row, row_facts, to_row
from pipeline.timestamp import format_time
from tests.support.builders import a_send, in_eventbridge, in_kinesis, in_lambda_sns, in_lambda_sqs, in_sns, in_sqs

ARRIVED_AT = datetime(2026, 3, 1, tzinfo=UTC)
SIBLING = a_send(messageId="sibling")
LARGE_BYTES = 100_000
# CPU time of one input, with the fuzzer's counters. Decoding takes about 1 ms for each KiB; a quadratic step in
# `LARGE_BYTES` takes minutes.
MAX_SECONDS = 5.0

# What may stand between documents.
SKIPPED = re.compile(r"(?:[\s\x00\x1e\ufeff,:]|\d{4}-\d\d-\d\d[T ][0-9:.,]+(?:Z|[+-]\d\d:?\d\d)?)*")

TEXT_ENVELOPES: tuple[Callable[[bytes], bytes], ...] = (in_sns, in_sqs, in_lambda_sns, in_lambda_sqs)


def check_outcomes(payload: bytes) -> list[Outcome]:
    """Decode, and use every outcome in every way that the pipeline does. Return the outcomes."""
    outcomes = decode(payload)
    assert outcomes
    for outcome in outcomes:
        if isinstance(outcome, Event):
            check_event(outcome)
        else:
            assert outcome.why
        if isinstance(outcome, Poison):
            assert poison_row(outcome, name="0" * 32, arrived_at=ARRIVED_AT).error_message == outcome.why
    return outcomes


def check_event(event: Event) -> None:
    """Check that an event has a row and items, and that its row and its text have the same facts."""
    stated = list(facts(event))
    for key, standing in group_by_key(stated).items():
        to_item(key, standing, DEFAULT_POLICY)
    row = to_row(event, arrived_at=ARRIVED_AT)
    assert row.raw.encode() == event.raw
    assert list(row_facts(row)) == stated
    assert list(row_facts(replace(row, decoder_version=0))) == stated
    assert decode(event.raw) == [replace(event, envelopes=())]
    assert all(format_time(at) for at in (event.occurred_at, event.sent_at) if at)


def check_envelopes(payload: bytes) -> None:
    """Check that a payload in an envelope has the outcomes of the payload alone, but for decisions."""
    alone = decode(payload)
    assert bare(decode(in_kinesis(payload))) == bare(alone)
    if _is_text(payload):
        for wrap in TEXT_ENVELOPES:
            assert bare(decode(wrap(payload))) == without_decisions(bare(alone)), wrap.__name__
    if without_decisions(bare(alone)) == [alone[0]] and isinstance(alone[0], Event) and alone[0].raw == payload:
        text = repair_json(payload)  # a record that is an object in its envelope is repaired with it
        assert decode(in_eventbridge(payload)) == [replace(alone[0], raw=text, envelopes=(Envelope.EVENTBRIDGE,))]


def check_sibling(payload: bytes) -> None:
    """Check that a record is decoded whatever follows it, and that a list has the outcomes of its elements."""
    [sibling] = decode(SIBLING)
    for separator in (b"", b"\n"):
        assert decode(SIBLING + separator + payload)[0] == sibling
    if text := _json(payload):
        assert bare(decode(b"[%b,%b]" % (SIBLING, text))) == bare([sibling, *decode(text)])


def check_framing(payload: bytes) -> None:
    """Check that the parts of a payload contain all of it, in order, but for separators and times."""
    position = 0
    for part in split_documents(payload):
        start = payload.index(part.data, position)
        assert SKIPPED.fullmatch(payload[position:start].decode(errors="surrogateescape"))
        position = start + len(part.data)
    assert SKIPPED.fullmatch(payload[position:].decode(errors="surrogateescape"))


def check_time(payload: bytes) -> None:
    """Check that decoding many repetitions of a payload takes a time in proportion to their size."""
    repeated = payload * (LARGE_BYTES // len(payload) + 1)
    started = process_time()
    decode(repeated)
    assert process_time() - started < MAX_SECONDS, f"{len(repeated)} bytes take {process_time() - started:.1f} s"


def bare(outcomes: list[Outcome]) -> list[Outcome | type[Outcome]]:
    """Return events without their envelopes, and the type of every other outcome."""
    return [replace(item, envelopes=()) if isinstance(item, Event) else type(item) for item in outcomes]


def without_decisions(outcomes: list[Outcome | type[Outcome]]) -> list[Outcome | type[Outcome]]:
    """Return the outcomes where no decision may arrive: each decision, and all evidence, is poison."""
    authored = (EventKind.DECISION, EventKind.EVIDENCE)
    return [Poison if isinstance(item, Event) and item.kind in authored else item for item in outcomes]


def _json(payload: bytes) -> bytes:
    """Return a payload that is one JSON document, in a form that parses; else nothing."""
    try:
        return b"" if is_too_deep(b"[%b]" % payload) else repair_json(payload)
    except InvalidJSON:
        return b""


def _is_text(payload: bytes) -> bool:
    try:
        return bool(payload.decode().strip())
    except UnicodeDecodeError:
        return False
