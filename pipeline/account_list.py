"""SES's own account-level suppression list, taken in: what of it the table does not suppress becomes decisions.

An entry of that list is the last trace of a bounce or a complaint, without the event itself. An echo would not
suppress, and a bounce made up from it would be false evidence; so it becomes a decision, which suppresses until a later
release. Where the table suppresses for good already, it does so by better evidence, and nothing is taken in: a second
time takes in nothing at all. Pure but for the ports that it is given.
docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html
"""

from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256

import msgspec

from pipeline.batch import StreamRecord
from pipeline.decode import decode
from pipeline.event import Event
from pipeline.fact import Fact, facts
from pipeline.ingest import Ingestion
from pipeline.policy import DEFAULT_POLICY, Reason, verdict
from pipeline.ports import Item, SuppressionStore
from pipeline.standing import EVERY_SCOPE, join, standing
from pipeline.timestamp import format_time

AUTHOR = "ses-account-list"


class ListEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An address on SES's own list.

    Attributes:
        address: As SES spells it, which tells its entries apart by case too.
        reason: SES's word: BOUNCE or COMPLAINT.
        updated_at: When SES last put it there, aware.
    """

    address: str
    reason: str
    updated_at: datetime


class ListStatus(StrEnum):
    """How the table stands to an entry."""

    MISSING = "missing"  # senders who ask are told to send: to be taken in
    SUPPRESSED = "suppressed"  # for good, whatever the evidence
    RELEASED = "released"  # by an operator, later than the entry: taking it in would change nothing
    UNUSABLE = "unusable"  # no address that anybody could ask for


class ListComparison(msgspec.Struct, frozen=True, kw_only=True):
    """An entry beside the table.

    Attributes:
        entry: The entry.
        stand: How the table stands to it.
        payload: The decision that it becomes.
    """

    entry: ListEntry
    stand: ListStatus
    payload: bytes


class ImportCounts(msgspec.Struct, kw_only=True):
    """What became of a list, as far as it was read.

    Attributes:
        listed: Entries by SES's reason, in lower case.
        stands: Entries by how the table stood to them; what was missing is taken in.
        written: Items of the table put; one address may have several entries, which differ in case.
    """

    listed: Counter[str] = msgspec.field(default_factory=Counter)
    stands: dict[ListStatus, int] = msgspec.field(default_factory=lambda: dict.fromkeys(ListStatus, 0))
    written: int = 0


ImportProgress = Callable[[ImportCounts], None]


def decision(entry: ListEntry) -> bytes:
    """Return the decision that an entry becomes: the same bytes and the same id whenever it is read."""
    updated_at = format_time(entry.updated_at)
    named = msgspec.json.encode((AUTHOR, entry.address, entry.reason, updated_at))
    own = {
        "id": sha256(named).hexdigest()[:32],
        "action": "suppress",
        "address": entry.address,
        "scope": EVERY_SCOPE,
        "decidedAt": updated_at,
        "author": AUTHOR,
        "reason": entry.reason,
    }
    return msgspec.json.encode({"eventType": "Decision", "decision": own})


def compare_list(entries: Sequence[ListEntry], *, store: SuppressionStore) -> list[ListComparison]:
    """Return each entry with how the table stands to it.

    Raises:
        StoreUnavailable: The table is throttled or unreachable.
    """
    payloads = [decision(entry) for entry in entries]
    found = [_finding(payload) for payload in payloads]
    items = store.load(dict.fromkeys(one.key for one in found if one))
    return [
        ListComparison(entry=entry, stand=_stand(one, items[one.key]) if one else ListStatus.UNUSABLE, payload=payload)
        for entry, one, payload in zip(entries, found, payloads, strict=True)
    ]


def import_entries(
    pages: Iterable[Sequence[ListEntry]],
    *,
    store: SuppressionStore,
    ingestion: Ingestion | None,
    progress: ImportProgress = lambda _: None,
) -> ImportCounts:
    """Take in what of a list the table does not suppress; `progress` is called after each page.

    Args:
        pages: The list, in lots of which each is compared at once.
        store: The table that senders ask.
        ingestion: Where to: through it, decisions get into log and table. None: nothing is taken in, only counted.
        progress: Is given what was counted so far.

    Raises:
        Unavailable: Log or table is away. What was taken in so far stays; do it again.
        ItemRejected: The table refuses an item for good.
    """
    done = ImportCounts()
    missing = _missing(pages, store=store, done=done, progress=progress)
    if ingestion is None:
        deque(missing, maxlen=0)
    else:
        done.written = ingestion.ingest(missing, progress=lambda _: None).written
    return done


def _missing(
    pages: Iterable[Sequence[ListEntry]], *, store: SuppressionStore, done: ImportCounts, progress: ImportProgress
) -> Iterator[StreamRecord]:
    """Give the decisions to be taken in, and count every entry."""
    for page in pages:
        for one in compare_list(page, store=store):
            done.listed[one.entry.reason.lower()] += 1
            done.stands[one.stand] += 1
            if one.stand is ListStatus.MISSING:
                yield StreamRecord(payload=one.payload, position=AUTHOR)
        progress(done)


def _finding(payload: bytes) -> Fact | None:
    """Return what a decision says; None if it is unusable."""
    return next((found for one in decode(payload) if isinstance(one, Event) for found in facts(one)), None)


def _stand(found: Fact, item: Item) -> ListStatus:
    if item.verdict.suppressed and item.verdict.until is None:
        return ListStatus.SUPPRESSED
    known = join(item.standing, standing([(found.fact, found.evidence)]))
    # A decision is the gravest reason, and no policy has a say in it: any would do.
    decided = verdict(known, DEFAULT_POLICY, address=found.key.address).reason is Reason.OPERATOR
    return ListStatus.MISSING if decided else ListStatus.RELEASED
