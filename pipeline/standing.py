"""The facts that are known about one address in one scope, and how they join.

A standing contains facts, never a status. `join` is associative, commutative and idempotent. So neither the order nor
the number of deliveries matters, and after a crash the same work can be done again. Nothing is counted, and nothing is
removed except by these bounds, which join too:

| fact | kept |
|---|---|
| hard, blocked, inferred, forwarded; complaint, uncertain complaint | of each: the oldest and the newest 8 |
| soft bounce | the greatest of each mail, of the newest 64 mails |
| listed, not-spam report, echo of a list, opt-out of a topic | of each: the newest |
| operator's suppress; operator's release | of each: the newest |

Copies of one event may differ in a text. Of the copies with one time and one event id, the greatest by all fields is
kept. To keep one copy for each event id alone would be no join, because copies may differ in their time.

Pure. A join only adds facts: to correct a decoder's error, rebuild into an empty table.
"""

from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

import msgspec

from pipeline.address import Address

NEWEST_KEPT = 8  # enough to explain a verdict to a person; the oldest is kept beside them for `since`
MAILS_KEPT = 64  # `policy.SoftRule` rejects a rule that these mails cannot decide
EVERY_SCOPE = "*"
MAX_SCOPE = 64  # characters; SES's limit for the name of a tenant


class Key(NamedTuple):
    """The address and scope that a standing is about; also the key of the table."""

    address: Address
    scope: str = EVERY_SCOPE


class FactKind(StrEnum):
    """The kinds of facts. Each is a field of `Standing`."""

    HARD = "hard"
    BLOCKED = "blocked"
    INFERRED = "inferred"
    FORWARDED = "forwarded"
    LISTED = "listed"
    COMPLAINT = "complaint"
    UNCERTAIN_COMPLAINT = "uncertain_complaint"
    NOT_SPAM = "not_spam"
    SOFT = "soft"
    ECHO = "echo"
    OPT_OUT = "opt_out"
    SUPPRESS = "suppress"
    RELEASE = "release"


class Evidence(msgspec.Struct, frozen=True, order=True, gc=False, omit_defaults=True):
    """What one event states about one recipient. Ordered by all its fields, in this order.

    `row.FactColumn` and the conversions in `pipeline.row` derive from these fields.

    Attributes:
        at_ms: The time from which it counts, in milliseconds since 1970; 0 if unknown, so that any release lifts it.
        event_id: The event.
        message_id: The mail that the event is about; "" if unknown.
        sub_type: SES's name for the type of bounce or complaint.
        status: The remote server's enhanced status code (RFC 3463); "" if none.
        diagnostic: The remote server's response, truncated.
        spelling: The address as received.
    """

    at_ms: int
    event_id: str
    message_id: str = ""
    sub_type: str = ""
    status: str = ""
    diagnostic: str = ""
    spelling: str = ""


class Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """All facts about one address in one scope. Each tuple is distinct and ascending."""

    hard: tuple[Evidence, ...] = ()
    blocked: tuple[Evidence, ...] = ()
    inferred: tuple[Evidence, ...] = ()
    forwarded: tuple[Evidence, ...] = ()
    listed: tuple[Evidence, ...] = ()
    complaint: tuple[Evidence, ...] = ()
    uncertain_complaint: tuple[Evidence, ...] = ()
    not_spam: tuple[Evidence, ...] = ()
    soft: tuple[Evidence, ...] = ()
    echo: tuple[Evidence, ...] = ()
    opt_out: tuple[Evidence, ...] = ()
    suppress: tuple[Evidence, ...] = ()
    release: tuple[Evidence, ...] = ()


NOTHING_KNOWN = Standing()

Bound = Callable[[Iterable[Evidence]], tuple[Evidence, ...]]
"""Returns the evidence to keep of one kind of fact, of which there is some."""


def fold(facts: Iterable[tuple[FactKind, Evidence]]) -> Standing:
    """Return the standing of these facts."""
    by_kind: dict[FactKind, list[Evidence]] = {}
    for kind, evidence in facts:
        by_kind.setdefault(kind, []).append(evidence)
    return Standing(
        **{kind: _BOUNDS[kind](evidence) if len(evidence) > 1 else (evidence[0],) for kind, evidence in by_kind.items()}
    )


def join(left: Standing, right: Standing) -> Standing:
    """Return the standing that contains the facts of both."""
    if left == NOTHING_KNOWN:
        return right
    if right in (left, NOTHING_KNOWN):
        return left
    return Standing(
        **{kind: _join(bound, getattr(left, kind), getattr(right, kind)) for kind, bound in _BOUNDS.items()}
    )


def kept_facts(standing: Standing) -> Iterator[tuple[FactKind, Evidence]]:
    """Yield every fact of a standing with its evidence."""
    for kind in FactKind:
        for evidence in getattr(standing, kind):
            yield kind, evidence


def facts_json(standing: Standing) -> bytes:
    """Return a standing as canonical JSON: equal standings have equal bytes."""
    return msgspec.json.encode(standing)


def facts_hash(standing: Standing) -> str:
    """Return the SHA-256 of a standing's canonical JSON in hex; "" for a standing without facts."""
    return "" if standing == NOTHING_KNOWN else sha256(facts_json(standing)).hexdigest()


def _join(bound: Bound, left: tuple[Evidence, ...], right: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    return bound((*left, *right)) if left and right else left or right


def _ascending(evidence: Iterable[Evidence]) -> list[Evidence]:
    """Return the greatest copy of each event at each time, in ascending order."""
    return list({(item.at_ms, item.event_id): item for item in sorted(evidence)}.values())


def _oldest_and_newest(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    ascending = _ascending(evidence)
    return tuple(ascending if len(ascending) <= NEWEST_KEPT + 1 else [ascending[0], *ascending[-NEWEST_KEPT:]])


def _greatest_per_mail(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    # In ascending order, the last evidence of a mail is its greatest. An event without a message counts as one mail.
    greatest = {item.message_id or item.event_id: item for item in sorted(evidence)}
    return tuple(sorted(greatest.values())[-MAILS_KEPT:])


def _newest(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    return (max(evidence),)


_BOUNDS: dict[FactKind, Bound] = {
    FactKind.HARD: _oldest_and_newest,
    FactKind.BLOCKED: _oldest_and_newest,
    FactKind.INFERRED: _oldest_and_newest,
    FactKind.FORWARDED: _oldest_and_newest,
    FactKind.LISTED: _newest,
    FactKind.COMPLAINT: _oldest_and_newest,
    FactKind.UNCERTAIN_COMPLAINT: _oldest_and_newest,
    FactKind.NOT_SPAM: _newest,
    FactKind.SOFT: _greatest_per_mail,
    FactKind.ECHO: _newest,
    FactKind.OPT_OUT: _newest,
    FactKind.SUPPRESS: _newest,
    FactKind.RELEASE: _newest,
}
