"""Where facts join: all that is known about one address in one scope.

A standing is facts, never a status. `join` is associative, commutative and idempotent, so neither the
order nor the number of deliveries can matter, and a crash anywhere is mended by doing the work again. Nothing is
counted, and nothing is ever taken away but by these bounds, which themselves join:

| fact | kept |
|---|---|
| hard bounce; complaint; complaint by one of several candidates | each: the oldest, and the newest 8 |
| soft bounce | the greatest of each mail, of the newest 64 mails |
| echo of a list of SES's own; opt-out of a topic | the newest |
| operator's suppress; operator's release | the newest of each |

Pure. A join only adds: a decoder that misread is repaired by a rebuild into an empty table.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from hashlib import sha256
from typing import NamedTuple

import msgspec

from pipeline.address import Address

NEWEST_KEPT = 8  # enough to explain a verdict to a person; the oldest is kept beside them for `since`
MAILS_KEPT = 64  # the most that a soft rule can ask for
EVERY_SCOPE = "*"


class Key(NamedTuple):
    """What a standing is about, and the table's key."""

    address: Address
    scope: str = EVERY_SCOPE


class FactKind(StrEnum):
    """What a piece of evidence is evidence of; each is a field of `Standing`."""

    HARD = "hard"
    COMPLAINT = "complaint"
    UNCERTAIN_COMPLAINT = "uncertain_complaint"
    SOFT = "soft"
    ECHO = "echo"
    OPT_OUT = "opt_out"
    SUPPRESS = "suppress"
    RELEASE = "release"


class Evidence(msgspec.Struct, frozen=True, order=True, gc=False, omit_defaults=True):
    """One event, as far as it says something about one recipient. Ordered by all its fields, in this order.

    Attributes:
        at_ms: When it counts from, in milliseconds since 1970; 0 if unknown, so that any release lifts it.
        event_id: The event that says so.
        message_id: The mail it is about; "" if unknown.
        sub_type: SES's word for the sort of bounce or complaint.
        status: The remote server's enhanced status code (RFC 3463); "" if none.
        diagnostic: The remote server's words, cut.
        spelling: The address as received.
        lifts: For a release: the events that its author had read.
    """

    at_ms: int
    event_id: str
    message_id: str = ""
    sub_type: str = ""
    status: str = ""
    diagnostic: str = ""
    spelling: str = ""
    lifts: tuple[str, ...] = ()


class Standing(msgspec.Struct, frozen=True, kw_only=True, gc=False, omit_defaults=True):
    """All that is known about one address in one scope. Tuples are distinct and ascending."""

    hard: tuple[Evidence, ...] = ()
    complaint: tuple[Evidence, ...] = ()
    uncertain_complaint: tuple[Evidence, ...] = ()
    soft: tuple[Evidence, ...] = ()
    echo: tuple[Evidence, ...] = ()
    opt_out: tuple[Evidence, ...] = ()
    suppress: tuple[Evidence, ...] = ()
    release: tuple[Evidence, ...] = ()


NOTHING_KNOWN = Standing()

Keep = Callable[[Iterable[Evidence]], tuple[Evidence, ...]]
"""Returns what is kept of evidence of one sort."""


def join(one: Standing, other: Standing) -> Standing:
    """Return what is known once both are known."""
    if one == NOTHING_KNOWN:
        return other
    if other in (one, NOTHING_KNOWN):
        return one
    return Standing(**{fact: _joined(keep, getattr(one, fact), getattr(other, fact)) for fact, keep in _KEEP.items()})


def standing(facts: Iterable[tuple[FactKind, Evidence]]) -> Standing:
    """Return the standing in which these facts join."""
    gathered: dict[FactKind, list[Evidence]] = {}
    for fact, evidence in facts:
        gathered.setdefault(fact, []).append(evidence)
    return Standing(
        **{fact: _KEEP[fact](evidence) if len(evidence) > 1 else (evidence[0],) for fact, evidence in gathered.items()}
    )


def kept_facts(known: Standing) -> Iterable[tuple[FactKind, Evidence]]:
    """Give every fact of a standing with its evidence."""
    for fact in FactKind:
        for evidence in getattr(known, fact):
            yield fact, evidence


def facts_json(known: Standing) -> bytes:
    """Return a standing as canonical JSON: equal standings give equal bytes."""
    return msgspec.json.encode(known)


def facts_hash(known: Standing) -> str:
    """Return the SHA-256 of a standing's canonical JSON in hex; "" for one that knows nothing."""
    return "" if known == NOTHING_KNOWN else sha256(facts_json(known)).hexdigest()


def _joined(keep: Keep, one: tuple[Evidence, ...], other: tuple[Evidence, ...]) -> tuple[Evidence, ...]:
    return keep((*one, *other)) if one and other else one or other


def _oldest_and_newest(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    ordered = sorted(set(evidence))
    return tuple(ordered if len(ordered) <= NEWEST_KEPT + 1 else [ordered[0], *ordered[-NEWEST_KEPT:]])


def _greatest_per_mail(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    # Ascending, so that the last of a mail is its greatest. An event without a message is a mail of its own.
    greatest = {item.message_id or item.event_id: item for item in sorted(set(evidence))}
    return tuple(sorted(greatest.values())[-MAILS_KEPT:])


def _newest(evidence: Iterable[Evidence]) -> tuple[Evidence, ...]:
    newest = max(evidence, default=None)
    return () if newest is None else (newest,)


_KEEP: dict[FactKind, Keep] = {
    FactKind.HARD: _oldest_and_newest,
    FactKind.COMPLAINT: _oldest_and_newest,
    FactKind.UNCERTAIN_COMPLAINT: _oldest_and_newest,
    FactKind.SOFT: _greatest_per_mail,
    FactKind.ECHO: _newest,
    FactKind.OPT_OUT: _newest,
    FactKind.SUPPRESS: _newest,
    FactKind.RELEASE: _newest,
}
