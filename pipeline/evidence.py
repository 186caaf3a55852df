"""The parts of evidence that are derived: the time from which an event counts, a status, and bounded texts.

Pure. Every copy of an event, in any form and envelope, has the same evidence.
"""

import re
from functools import lru_cache

import msgspec

from pipeline.event import Event
from pipeline.timestamp import parse_time, to_ms
from pipeline.wire import Bounce, Complaint, Decision

# Code points, and bytes as JSON: an item with the most facts, each with the longest texts, must stay under 64 KB.
MESSAGE_ID_KEPT = 64  # SES's have 60
SUB_TYPE_KEPT = 64
SPELLING_KEPT = 256
DIAGNOSTIC_KEPT = 256
LONGEST_ESCAPE = 6  # bytes of a code point as JSON, such as \u0001
# A mailbox provider's clock may be wrong: no bounce or complaint counts as later than this after its mail was sent.
LATEST_AFTER_SENDING_MS = 90 * 86_400_000
# SES's ids contain the milliseconds of their creation, in hex from the fifth digit. AWS does not document it. In public
# payloads that were not edited they equal the event's time within two seconds.
_ID_MS = re.compile(r"[0-9a-f]{4}([0-9a-f]{12})-", re.ASCII)
_FIRST_ID_MS = 1_295_913_600_000  # 2011-01-25, when SES opened: an earlier time was edited or is none
_STATUS = re.compile(r"(?<![\d.])[245]\.\d{1,3}\.\d{1,3}(?![\d.])", re.ASCII)  # RFC 3463
# In a server's own words: at their beginning, after a reply code (RFC 2034), or after #, as qmail writes it. Elsewhere
# it may be the version of a program.
_STATUS_IN_TEXT = re.compile(r"(?:(?:\A|;)\s*|(?<!\d)[45]\d\d[\s:-]+#?|#)([45]\.\d{1,3}\.\d{1,3})(?![\d.])", re.ASCII)

_encode = msgspec.json.Encoder().encode


def counts_from_ms(event: Event, details: Bounce | Complaint) -> int:
    """Return the time from which a bounce or complaint counts, in milliseconds since 1970; 0 if unreadable.

    It is the event's or the mail's time, the later, at most 90 days after sending. The time inside the feedback id is
    SES's own, so the event counts as no later than that. A time before the mail was sent, or before SES opened, is not
    plausible: then the id was edited, and does not count.
    """
    occurred_ms = to_ms(event.occurred_at) if event.occurred_at else 0
    sent_ms = to_ms(event.sent_at) if event.sent_at else 0
    at_ms = min(max(occurred_ms, sent_ms), sent_ms + LATEST_AFTER_SENDING_MS) if sent_ms else occurred_ms
    created_ms = _id_ms(details.feedback_id)
    is_plausible = created_ms and sent_ms and created_ms >= max(sent_ms, _FIRST_ID_MS)
    return max(0, min(at_ms, created_ms) if is_plausible else at_ms)


def _id_ms(feedback_id: str | None) -> int:
    """Return the time inside a feedback id, in milliseconds since 1970; 0 if it has none."""
    match = _ID_MS.match(feedback_id or "")
    return int(match[1], 16) if match else 0


def decision_ms(decision: Decision) -> int:
    """Return a decision's time by its hybrid logical clock, in milliseconds since 1970; 0 if unreadable.

    A decision without that clock counts from its wall time, which is not before 1970.
    """
    if decision.at_ms is not None:
        return decision.at_ms  # checked by the decoder
    decided_at = parse_time(decision.timestamp)
    return max(0, to_ms(decided_at)) if decided_at else 0


def status_of(status: str | None, diagnostic: str | None) -> str:
    """Return the enhanced status code of a recipient, such as 5.1.1; "" if none is reported.

    Where the field is missing, or ends in 0.0 ("undefined"), the code in the server's own words is more exact.

    Args:
        status: The field `status` of a delivery status notification.
        diagnostic: The server's own words.
    """
    reported = _status(status)
    if reported and not reported.endswith(".0.0"):
        return reported
    match = _STATUS_IN_TEXT.search(diagnostic or "")
    return match[1] if match and match[1].startswith(reported[:1]) else reported


@lru_cache(maxsize=256)
def _status(text: str | None) -> str:
    match = _STATUS.search(text or "")
    return match[0] if match else ""


def truncate(text: str | None, limit: int) -> str:
    """Return the beginning of a text: at most `limit` code points, and at most `limit` bytes as JSON."""
    beginning = (text or "")[:limit]
    if len(beginning) * LONGEST_ESCAPE <= limit:
        return beginning
    if beginning.isascii() and beginning.isprintable() and '"' not in beginning and "\\" not in beginning:
        return beginning
    while (size_bytes := len(_encode(beginning)) - len('""')) > limit:
        beginning = beginning[: len(beginning) * limit // size_bytes]
    return beginning
