"""The facts that an event states about its recipients.

One event states facts about many addresses, or about none. An unknown sub-type is never guessed and is no fact. Pure.
Which sub-types are fresh evidence, which echo one of SES's own lists, and which are not the address's fault:
docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html#event-publishing-retrieving-sns-contents-bounce-types
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
# A mailbox provider's clock may be wrong: no bounce or complaint counts as later than this after its mail was sent.
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
    kind: FactKind
    evidence: Evidence


def facts(event: Event) -> Iterator[Fact]:
    """Return the facts of an event, in the order of its recipients; none for most events."""
    details = event.details
    if isinstance(details, Bounce):
        return _bounce_facts(event, details)
    if isinstance(details, Complaint):
        return _complaint_facts(event, details)
    if isinstance(details, Decision):
        return _decision_facts(event, details)
    return iter(())


def _bounce_facts(event: Event, bounce: Bounce) -> Iterator[Fact]:
    kind = _bounce_kind(bounce.bounce_type or "", bounce.bounce_sub_type or "")
    if kind is None:
        return
    at_ms, message_id, sub_type = _effective_ms(event), _truncate(event.message_id), _truncate(bounce.bounce_sub_type)
    for recipient in bounce.bounced_recipients or ():
        spelling = recipient.email_address or ""
        address = canonical(spelling)
        if address is None or (kind is FactKind.SOFT and _is_automatic_reply(bounce, recipient)):
            continue
        evidence = Evidence(
            at_ms=at_ms,
            event_id=event.id,
            message_id=message_id,
            sub_type=sub_type,
            status=_status(recipient.status),
            diagnostic="" if kind is FactKind.SOFT else _truncate(recipient.diagnostic_code, DIAGNOSTIC_KEPT),
            spelling=_truncate(bare(spelling)),
        )
        yield Fact(Key(address), kind, evidence)


@lru_cache(maxsize=256)
def _bounce_kind(bounce_type: str, sub_type: str) -> FactKind | None:
    return BOUNCES.get((_plain(bounce_type), _plain(sub_type)))


def _is_automatic_reply(bounce: Bounce, recipient: Recipient) -> bool:
    """Return True for an out-of-office reply, which SES reports as Transient/General with nothing from a DSN."""
    return _plain(bounce.bounce_sub_type) == "general" and not (recipient.status or recipient.diagnostic_code)


def _complaint_facts(event: Event, complaint: Complaint) -> Iterator[Fact]:
    sub_type = _plain(complaint.complaint_sub_type)
    if _plain(complaint.complaint_feedback_type) == NOT_SPAM or (sub_type and sub_type not in LISTS):
        return
    # Most mailbox providers hide who complained. SES then names every recipient at that provider who got the mail, so
    # several names are candidates. (SES guide, "Complaint object")
    certain = len(event.recipients) + event.unusable_recipients == 1
    kind = FactKind.ECHO if sub_type else FactKind.COMPLAINT if certain else FactKind.UNCERTAIN_COMPLAINT
    named = [recipient.email_address or "" for recipient in complaint.complained_recipients or ()]
    spellings = {canonical(text): bare(text) for text in (*(event.mail.destination or ()), *named)}
    for address in event.recipients:
        evidence = Evidence(
            at_ms=_effective_ms(event),
            event_id=event.id,
            message_id=_truncate(event.message_id),
            sub_type=_truncate(complaint.complaint_sub_type or complaint.complaint_feedback_type),
            spelling=_truncate(spellings[address]),
        )
        yield Fact(Key(address), kind, evidence)


def _decision_facts(event: Event, decision: Decision) -> Iterator[Fact]:
    evidence = Evidence(
        at_ms=_effective_ms(event),
        event_id=event.id,
        spelling=_truncate(bare(decision.address or "")),
        lifts=tuple(sorted(set(decision.read or ()))) if decision.action == FactKind.RELEASE else (),
    )
    for address in event.recipients:
        yield Fact(Key(address, decision.scope or EVERY_SCOPE), FactKind(decision.action or ""), evidence)


def _effective_ms(event: Event) -> int:
    """Return the time from which an event counts: event or sending time, the later, at most 90 days after sending."""
    occurred_at, sent_at = event.occurred_at, event.sent_at
    if sent_at is None or occurred_at is None:
        readable = sent_at or occurred_at
        return max(0, to_ms(readable)) if readable else 0
    later = max(occurred_at, sent_at)
    return max(0, to_ms(later if later - sent_at <= LATEST_AFTER_SENDING else sent_at + LATEST_AFTER_SENDING))


def _plain(name: str | None) -> str:
    return (name or "").replace(" ", "").replace("_", "").lower()


def _status(text: str | None) -> str:
    match = _STATUS.search(text or "")
    return match.group() if match else ""


def _truncate(text: str | None, limit: int = TEXT_KEPT) -> str:
    """Return the beginning of a text: at most `limit` code points, and at most `limit` bytes as JSON."""
    beginning = (text or "")[:limit]
    while (size_bytes := len(_encode(beginning)) - len('""')) > limit:
        beginning = beginning[: len(beginning) * limit // size_bytes]
    return beginning
