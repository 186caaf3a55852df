"""A record of the event log as one address sees it: what happened, to which mail, who decided, and its facts.

A mail has many recipients, and a bounce reports about each. Only what is about the one address is kept. Pure.
"""

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any

import msgspec

from pipeline.address import Address, mailboxes
from pipeline.decode import decode
from pipeline.document import NOT_JSON
from pipeline.event import Event, EventKind
from pipeline.evidence import status_of
from pipeline.fact import Fact, facts
from pipeline.row import Diagnosis, Row, to_fact, to_row
from pipeline.timestamp import from_ms

NO_DIAGNOSIS = Diagnosis(address=None, action=None, status=None, diagnostic=None)


class LoggedEvent(msgspec.Struct, frozen=True, kw_only=True):
    """An event or a decision about one address.

    Attributes:
        event_id: Its id, the same for every copy.
        kind: What happened, an `EventKind`; `evidence` or "" if no record but only a table's fact describes it.
        at: When it happened, or else when its mail was sent; None if unreadable.
        arrived_at: When the log first received it; None if the log does not have it.
        message_id: SES's id of the mail; "" if none.
        subject: The mail's subject; "" if the record has none.
        sender: The mail's From header, or else its MAIL FROM; "" if the record has neither.
        sub_type: SES's type and sub-type.
        status: The enhanced status code that the remote server reports about the address; "" if none.
        diagnostic: The remote server's or SES's own words; "" if none.
        decided_by: Of a decision: who decided; "" if the record does not say it.
        because: Of a decision: why; "" if the record does not say it.
        batch: Of a decision: the id of the request that made it together with others; "" if none.
        facts: Its facts about the address, in every scope.
        spellings: The address as the mail and the facts spell it.
    """

    event_id: str
    kind: str = ""
    at: datetime | None = None
    arrived_at: datetime | None = None
    message_id: str = ""
    subject: str = ""
    sender: str = ""
    sub_type: str = ""
    status: str = ""
    diagnostic: str = ""
    decided_by: str = ""
    because: str = ""
    batch: str = ""
    facts: tuple[Fact, ...] = ()
    spellings: tuple[str, ...] = ()


class _DecisionText(msgspec.Struct, frozen=True):
    """The texts of a decision that are for people and have no effect."""

    author: Any = None
    reason: Any = None
    batch: Any = None


class _DecisionRecord(msgspec.Struct, frozen=True):
    decision: _DecisionText = _DecisionText()


def logged_events(raw: bytes, *, arrived_at: datetime, addresses: Collection[Address]) -> Iterator[LoggedEvent]:
    """Yield the event of a record of the log, decoded again by this version; nothing if it is none.

    Evidence of a table is the event that it is evidence of, so both are one.

    Args:
        raw: The record, as in the column `raw`.
        arrived_at: When the log received it, aware.
        addresses: The address that it is about, or several under which one person is known.
    """
    for outcome in decode(raw):
        if isinstance(outcome, Event) and outcome.kind is EventKind.EVIDENCE:
            yield from (_adopted(fact, arrived_at) for fact in facts(outcome) if fact.key.address in addresses)
        elif isinstance(outcome, Event):
            yield _logged(outcome, to_row(outcome, arrived_at=arrived_at), addresses)


def fact_event(fact: Fact) -> LoggedEvent:
    """Return the event of a fact that only the table has, as far as the fact's evidence describes it."""
    evidence = fact.evidence
    return LoggedEvent(
        event_id=evidence.event_id,
        at=from_ms(evidence.at_ms) if evidence.at_ms else None,
        message_id=evidence.message_id,
        sub_type=evidence.sub_type,
        status=evidence.status,
        diagnostic=evidence.diagnostic,
        facts=(fact,),
        spellings=_distinct([evidence.spelling]),
    )


def distinct_events(events: Iterable[LoggedEvent]) -> list[LoggedEvent]:
    """Return each event once, in order of its time, with the first arrival and the facts of all its copies.

    Copies may differ in what they contain: a feedback notification has no subject.
    """
    merged: dict[str, LoggedEvent] = {}
    for event in sorted(events, key=lambda event: event.kind in {"", EventKind.EVIDENCE}):  # their texts come last
        known = merged.get(event.event_id)
        merged[event.event_id] = _merge(known, event) if known else event
    return sorted(merged.values(), key=_order)


def _adopted(fact: Fact, arrived_at: datetime) -> LoggedEvent:
    """Return the event of a fact that only a table had, before it was written into the log as evidence."""
    return msgspec.structs.replace(fact_event(fact), kind=EventKind.EVIDENCE.value, arrived_at=arrived_at)


def _order(event: LoggedEvent) -> tuple[bool, datetime | None, str]:
    moment = event.at or event.arrived_at
    return (moment is not None, moment, event.event_id)


def _merge(left: LoggedEvent, right: LoggedEvent) -> LoggedEvent:
    """Return two copies of an event as one: the texts of the earlier one, and what only the later one has."""
    arrivals = [copy.arrived_at for copy in (left, right) if copy.arrived_at]
    texts = {
        name: getattr(left, name) or getattr(right, name)
        for name in ("kind", "at", "message_id", "subject", "sender", "sub_type", "status", "diagnostic")
    }
    decided = {name: getattr(left, name) or getattr(right, name) for name in ("decided_by", "because", "batch")}
    return LoggedEvent(
        event_id=left.event_id,
        arrived_at=min(arrivals, default=None),
        facts=_greatest((*left.facts, *right.facts)),
        spellings=_distinct((*left.spellings, *right.spellings)),
        **texts,
        **decided,
    )


def _greatest(copies: Iterable[Fact]) -> tuple[Fact, ...]:
    """Return of each fact the copy that a standing keeps: the greatest by all fields of its evidence."""
    ascending = sorted(copies, key=lambda fact: fact.evidence)
    return tuple({(fact.key, fact.kind, fact.evidence.at_ms): fact for fact in ascending}.values())


def _logged(event: Event, row: Row, addresses: Collection[Address]) -> LoggedEvent:
    found = tuple(fact for fact in map(to_fact, row.facts) if fact.key.address in addresses)
    diagnosis = next((diagnosis for diagnosis in row.diagnoses if diagnosis.address in addresses), NO_DIAGNOSIS)
    texts = _decision_text(row) if event.kind is EventKind.DECISION else _DecisionText()
    return LoggedEvent(
        event_id=row.event_id,
        kind=row.event_type,
        at=row.occurred_at or row.sent_at,
        arrived_at=row.arrived_at,
        message_id=row.message_id or "",
        subject=row.subject or "",
        sender=row.from_header or row.source or "",
        sub_type=_sub_type(row),
        status=status_of(diagnosis.status, diagnosis.diagnostic),
        diagnostic=diagnosis.diagnostic or row.smtp_response or row.reject_reason or row.error_message or "",
        decided_by=_text(texts.author),
        because=_text(texts.reason),
        batch=_text(texts.batch),
        facts=found,
        spellings=_distinct([*_spellings(event, addresses), *(fact.evidence.spelling for fact in found)]),
    )


def _sub_type(row: Row) -> str:
    names = (row.bounce_type, row.bounce_sub_type, row.complaint_sub_type, row.complaint_feedback_type, row.delay_type)
    return "/".join(filter(None, (*names, row.subscription_source)))


def _spellings(event: Event, addresses: Collection[Address]) -> Iterator[str]:
    for text in event.mail.destination or ():
        yield from (mailbox.spelling for mailbox in mailboxes(text).found if mailbox.address in addresses)


def _decision_text(row: Row) -> _DecisionText:
    try:
        return msgspec.json.decode(row.raw, type=_DecisionRecord).decision
    except NOT_JSON:  # in a form that only the decoder reads
        return _DecisionText()


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _distinct(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(filter(None, texts)))
