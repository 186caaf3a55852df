"""The facts that an event states about its recipients.

One event states facts about many addresses, or about none. An unknown sub-type is never guessed and is no fact. Pure.
Which sub-types are fresh evidence, which repeat one of SES's own lists, and which are not the address's fault:
docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html#event-publishing-retrieving-sns-contents-bounce-types
What a remote server reports about each recipient (action, status): RFC 3464 and RFC 3463.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache

import msgspec

from pipeline.address import Address, Mailbox, mailboxes
from pipeline.event import Event, EventKind
from pipeline.evidence import (
    DIAGNOSTIC_KEPT,
    MESSAGE_ID_KEPT,
    SPELLING_KEPT,
    SUB_TYPE_KEPT,
    counts_from_ms,
    decision_ms,
    status_of,
    truncate,
)
from pipeline.standing import EVERY_SCOPE, MAX_SCOPE, Evidence, FactKind, Key
from pipeline.wire import Bounce, Complaint, Decision, Recipient, TableEvidence

TENANT_TAG = "ses:tenant-name"

# By bounceType and bounceSubType, without case, spaces and underscores. None: not the address's fault, and no fact.
BOUNCES = {
    ("permanent", ""): FactKind.HARD,
    ("permanent", "undetermined"): FactKind.HARD,
    ("permanent", "general"): FactKind.HARD,
    ("permanent", "noemail"): FactKind.HARD,
    ("permanent", "suppressed"): FactKind.LISTED,
    ("permanent", "onaccountsuppressionlist"): FactKind.ECHO,
    ("permanent", "ontenantsuppressionlist"): FactKind.ECHO,
    ("permanent", "emailvalidationsuppressed"): FactKind.ECHO,
    ("permanent", "unsubscribedrecipient"): FactKind.OPT_OUT,
    ("transient", "general"): FactKind.SOFT,
    ("transient", "mailboxfull"): FactKind.SOFT,
    ("transient", "messagetoolarge"): None,
    ("transient", "contentrejected"): None,
    ("transient", "attachmentrejected"): None,
    ("transient", "customtimeoutexceeded"): None,
    ("undetermined", "undetermined"): FactKind.SOFT,
}
NOT_SPAM = "notspam"
LISTS = frozenset({"onaccountsuppressionlist", "ontenantsuppressionlist"})
FEEDBACK_TYPES = frozenset({"", "abuse", "authfailure", "fraud", NOT_SPAM, "other", "virus"})
ARRIVED = frozenset({"delivered", "relayed", "expanded"})  # RFC 3464, section 2.3.3
TENANT_FACTS = frozenset({FactKind.COMPLAINT, FactKind.UNCERTAIN_COMPLAINT, FactKind.NOT_SPAM, FactKind.OPT_OUT})
"""The facts that lie in the scope of a mail's tenant: they are about its mail, and not about the mailbox."""


Common = tuple[int, str, str, str]
"""What the evidence of all recipients of an event has in common: the first fields of `Evidence`."""


Report = tuple[str, str | None]
"""What the remote server reports about a recipient: its status and its own words."""

NO_REPORT: Report = ("", None)


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
    if isinstance(details, TableEvidence):
        return _known_fact(details)
    return iter(())


def is_recognized(event: Event) -> bool:
    """Return False if the event has a type or a sub-type that this version does not know."""
    match event.details:
        case Bounce() as bounce:
            return (_plain(bounce.bounce_type), _plain(bounce.bounce_sub_type)) in BOUNCES
        case Complaint() as complaint:
            sub_type, feedback_type = _plain(complaint.complaint_sub_type), _plain(complaint.complaint_feedback_type)
            return feedback_type in FEEDBACK_TYPES and (not sub_type or sub_type in LISTS)
    return event.kind is not EventKind.UNKNOWN


def tenant(event: Event) -> str | None:
    """Return the SES tenant that sent the mail; None if there is none, or its name is no scope."""
    names = (event.mail.tags or {}).get(TENANT_TAG)
    return names[0] if names and 0 < len(names[0]) <= MAX_SCOPE else None


def _bounce_facts(event: Event, bounce: Bounce) -> Iterator[Fact]:
    kind = _bounce_kind(bounce.bounce_type, bounce.bounce_sub_type)
    if kind is None:
        return
    common = _common(event, bounce, bounce.bounce_sub_type)
    named: list[Mailbox] = []
    kinds = []
    for recipient in bounce.bounced_recipients or ():
        status = status_of(recipient.status, recipient.diagnostic_code)
        recipient_kind = _recipient_kind(kind, bounce, recipient, status)
        found = mailboxes(recipient.email_address or "").found
        named.extend(found)
        kinds.append(recipient_kind)
        if recipient_kind:
            for mailbox in found:
                yield _fact(event, recipient_kind, mailbox, common, (status, recipient.diagnostic_code))
    if kind is FactKind.HARD and not (named and [named[0].spelling] == event.mail.destination):
        yield from _destination_facts(event, common, named, kinds)


def _destination_facts(
    event: Event, common: Common, named: Sequence[Mailbox], kinds: Sequence[FactKind | None]
) -> Iterator[Fact]:
    """Yield a fact about the only destination of a mail whose permanent bounce names others only, or no one.

    A mailbox that forwards makes the remote server name the address to which it forwards.
    """
    destinations = [mailboxes(text) for text in event.mail.destination or ()]
    found = {mailbox.address: mailbox for part in destinations for mailbox in part.found}
    has_failed = not kinds or not {FactKind.HARD, FactKind.BLOCKED}.isdisjoint(kinds)
    if len(found) != 1 or any(part.unusable for part in destinations) or not has_failed:
        return
    [only] = found.values()
    if not named:
        yield _fact(event, FactKind.INFERRED, only, common)
    elif only.address not in {mailbox.address for mailbox in named}:
        yield _fact(event, FactKind.FORWARDED, only, common)


@lru_cache(maxsize=256)
def _bounce_kind(bounce_type: str | None, sub_type: str | None) -> FactKind | None:
    return BOUNCES.get((_plain(bounce_type), _plain(sub_type)))


def _recipient_kind(kind: FactKind, bounce: Bounce, recipient: Recipient, status: str) -> FactKind | None:
    """Return what a bounce states about one of its recipients, whom the remote server may have treated otherwise."""
    action = _plain((recipient.action or "").partition("(")[0])  # some servers append a comment
    if action in ARRIVED or status.startswith("2."):
        return None
    if kind is FactKind.HARD:
        if action == "delayed" or status.startswith("4."):
            return FactKind.SOFT
        return FactKind.BLOCKED if status.startswith("5.7.") else FactKind.HARD
    # SES reports an out-of-office reply as Transient/General with nothing from a delivery status notification.
    is_automatic_reply = _plain(bounce.bounce_sub_type) == "general" and not (status or recipient.diagnostic_code)
    return None if kind is FactKind.SOFT and is_automatic_reply else kind


def _complaint_facts(event: Event, complaint: Complaint) -> Iterator[Fact]:
    # Most mailbox providers hide who complained. SES then names every recipient at that provider who got the mail, so
    # several names are candidates. (SES guide, "Complaint object")
    is_certain = len(event.recipients) + event.unusable_recipients == 1
    kind = _complaint_kind(complaint, is_certain=is_certain)
    if kind is None:
        return
    named = [recipient.email_address or "" for recipient in complaint.complained_recipients or ()]
    texts = (*(event.mail.destination or ()), *named)
    found = {mailbox.address: mailbox for text in texts for mailbox in mailboxes(text).found}
    common = _common(event, complaint, complaint.complaint_sub_type or complaint.complaint_feedback_type)
    for address in event.recipients:
        yield _fact(event, kind, found[address], common)


def _complaint_kind(complaint: Complaint, *, is_certain: bool) -> FactKind | None:
    """Return what a complaint states about its recipients."""
    if sub_type := _plain(complaint.complaint_sub_type):
        return FactKind.ECHO if sub_type in LISTS else None
    if _plain(complaint.complaint_feedback_type) == NOT_SPAM:
        return FactKind.NOT_SPAM if is_certain else None
    return FactKind.COMPLAINT if is_certain else FactKind.UNCERTAIN_COMPLAINT


def _decision_facts(event: Event, decision: Decision) -> Iterator[Fact]:
    kind, scope = FactKind(decision.action or ""), decision.scope or EVERY_SCOPE
    for mailbox in mailboxes(decision.address or "").found:
        evidence = Evidence(
            at_ms=decision_ms(decision), event_id=event.id, spelling=truncate(mailbox.spelling, SPELLING_KEPT)
        )
        yield Fact(Key(mailbox.address, scope), kind, evidence)


def _known_fact(details: TableEvidence) -> Iterator[Fact]:
    """Yield the fact that the evidence is, with the id of the event that stated it. The decoder checked each field."""
    evidence = Evidence(**{name: getattr(details, name) for name in Evidence.__struct_fields__})
    yield Fact(Key(Address(details.address or ""), details.scope or ""), FactKind(details.fact or ""), evidence)


def _common(event: Event, details: Bounce | Complaint, sub_type: str | None) -> Common:
    return (
        counts_from_ms(event, details),
        event.id,
        truncate(event.message_id, MESSAGE_ID_KEPT),
        truncate(sub_type, SUB_TYPE_KEPT),
    )


def _fact(event: Event, kind: FactKind, mailbox: Mailbox, common: Common, report: Report = NO_REPORT) -> Fact:
    scope = (tenant(event) or EVERY_SCOPE) if kind in TENANT_FACTS else EVERY_SCOPE
    status, diagnostic = report
    is_soft = kind is FactKind.SOFT  # 64 of them are kept, so they keep less
    texts = () if is_soft else (truncate(diagnostic, DIAGNOSTIC_KEPT), truncate(mailbox.spelling, SPELLING_KEPT))
    return Fact(Key(mailbox.address, scope), kind, Evidence(*common, status, *texts))


@lru_cache(maxsize=256)
def _plain(name: str | None) -> str:
    """Return a name of SES without case, spaces, underscores and hyphens."""
    plain = (name or "").translate(_SEPARATORS).lower()
    return "" if plain == "null" else plain  # as exports write a missing value


_SEPARATORS = str.maketrans("", "", " _-")
