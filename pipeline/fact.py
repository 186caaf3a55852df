"""What an event says about each of its recipients.

One event gives facts about many addresses, or none. Which sub-types are fresh evidence, which are echoes
of a list of SES's own, and which are no fault of the address:
docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html#event-publishing-retrieving-sns-contents-bounce-types
An unknown sub-type is no fact: it is never guessed. Pure.
"""

import re
from collections.abc import Iterator
from datetime import timedelta
from functools import lru_cache

import msgspec

from pipeline.address import bare, canonical
from pipeline.event import Event
from pipeline.standing import EVERY_SCOPE, Evidence, FactKind, Key
from pipeline.timestamp import to_ms
from pipeline.wire import Bounce, Complaint, Decision, Recipient

# Code points, and bytes as JSON: an item with the most facts, each with the longest texts, must stay under 64 KB.
DIAGNOSTIC_KEPT = 1_000
TEXT_KEPT = 256
# A mailbox provider's clock may be wrong; a bounce or a complaint is never later than this after its mail was sent.
LATEST_AFTER_SENDING = timedelta(days=90)

# By bounceType and bounceSubType, without case.
BOUNCES = {
    ("permanent", "general"): FactKind.HARD,
    ("permanent", "noemail"): FactKind.HARD,
    ("permanent", "suppressed"): FactKind.ECHO,
    ("permanent", "onaccountsuppressionlist"): FactKind.ECHO,
    ("permanent", "ontenantsuppressionlist"): FactKind.ECHO,
    ("permanent", "emailvalidationsuppressed"): FactKind.ECHO,
    ("permanent", "unsubscribedrecipient"): FactKind.OPT_OUT,
    ("transient", "general"): FactKind.SOFT,
    ("transient", "mailboxfull"): FactKind.SOFT,
    ("undetermined", "undetermined"): FactKind.SOFT,
}
LISTS = frozenset({"onaccountsuppressionlist", "ontenantsuppressionlist"})
NOT_SPAM = "not-spam"

_encode = msgspec.json.Encoder().encode
_STATUS = re.compile(r"[245]\.\d{1,3}\.\d{1,3}", re.ASCII)  # RFC 3463


class Fact(msgspec.Struct, frozen=True, gc=False):
    """One fact about one address."""

    key: Key
    fact: FactKind
    evidence: Evidence


def facts(event: Event) -> Iterator[Fact]:
    """Give every fact in an event, by address; nothing for most events."""
    details = event.details
    if isinstance(details, Bounce):
        return _of_bounce(event, details)
    if isinstance(details, Complaint):
        return _of_complaint(event, details)
    if isinstance(details, Decision):
        return _of_decision(event, details)
    return iter(())


def effective_ms(event: Event) -> int:
    """Return when an event counts from: the later of its own time and the sending's, never long after sending."""
    occurred_at, sent_at = event.occurred_at, event.sent_at
    if sent_at is None or occurred_at is None:
        known = sent_at or occurred_at
        return max(0, to_ms(known)) if known else 0
    later = max(occurred_at, sent_at)
    return max(0, to_ms(later if later - sent_at <= LATEST_AFTER_SENDING else sent_at + LATEST_AFTER_SENDING))


def _of_bounce(event: Event, bounce: Bounce) -> Iterator[Fact]:
    fact = _bounce_fact(bounce.bounce_type or "", bounce.bounce_sub_type or "")
    if fact is None:
        return
    at_ms, message_id, sub_type = effective_ms(event), _cut(event.message_id), _cut(bounce.bounce_sub_type)
    for person in bounce.bounced_recipients or ():
        spelling = person.email_address or ""
        address = canonical(spelling)
        if address is None or (fact is FactKind.SOFT and _is_automatic(bounce, person)):
            continue
        evidence = Evidence(
            at_ms=at_ms,
            event_id=event.id,
            message_id=message_id,
            sub_type=sub_type,
            status=_status(person.status),
            diagnostic="" if fact is FactKind.SOFT else _cut(person.diagnostic_code, DIAGNOSTIC_KEPT),
            spelling=_cut(bare(spelling)),
        )
        yield Fact(Key(address), fact, evidence)


@lru_cache(maxsize=256)
def _bounce_fact(bounce_type: str, sub_type: str) -> FactKind | None:
    return BOUNCES.get((_plain(bounce_type), _plain(sub_type)))


def _is_automatic(bounce: Bounce, person: Recipient) -> bool:
    """Tell an out-of-office reply, which SES reports as Transient/General with nothing from a DSN."""
    return _plain(bounce.bounce_sub_type) == "general" and not (person.status or person.diagnostic_code)


def _of_complaint(event: Event, complaint: Complaint) -> Iterator[Fact]:
    sub_type = _plain(complaint.complaint_sub_type)
    if _plain(complaint.complaint_feedback_type) == NOT_SPAM or (sub_type and sub_type not in LISTS):
        return
    # Most mailbox providers hide who complained; SES then names everyone there who got the mail. So several names
    # are suspects, not culprits. (SES guide, "Complaint object")
    certain = len(event.recipients) + event.unusable == 1
    fact = FactKind.ECHO if sub_type else FactKind.COMPLAINT if certain else FactKind.UNCERTAIN_COMPLAINT
    named = [person.email_address or "" for person in complaint.complained_recipients or ()]
    spellings = {canonical(text): bare(text) for text in (*(event.mail.destination or ()), *named)}
    for address in event.recipients:
        evidence = Evidence(
            at_ms=effective_ms(event),
            event_id=event.id,
            message_id=_cut(event.message_id),
            sub_type=_cut(complaint.complaint_sub_type or complaint.complaint_feedback_type),
            spelling=_cut(spellings[address]),
        )
        yield Fact(Key(address), fact, evidence)


def _of_decision(event: Event, decision: Decision) -> Iterator[Fact]:
    evidence = Evidence(
        at_ms=effective_ms(event),
        event_id=event.id,
        spelling=_cut(bare(decision.address or "")),
        lifts=tuple(sorted(set(decision.read or ()))) if decision.action == FactKind.RELEASE else (),
    )
    for address in event.recipients:
        yield Fact(Key(address, decision.scope or EVERY_SCOPE), FactKind(decision.action or ""), evidence)


def _plain(name: str | None) -> str:
    return (name or "").replace(" ", "").replace("_", "").lower()


def _status(text: str | None) -> str:
    found = _STATUS.search(text or "")
    return found.group() if found else ""


def _cut(text: str | None, kept: int = TEXT_KEPT) -> str:
    """Return the beginning of a text: at most so many code points, and bytes as JSON."""
    cut = (text or "")[:kept]
    while (size_bytes := len(_encode(cut)) - len('""')) > kept:
        cut = cut[: len(cut) * kept // size_bytes]
    return cut
