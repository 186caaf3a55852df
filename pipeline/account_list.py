"""Import SES's suppression lists: entries that the table does not suppress become decisions.

The account's list lies in every scope. A tenant's own list lies in the tenant's, under its name.

An entry of that list is all that is left of a bounce or a complaint; the event itself is lost. An echo would not
suppress, and a bounce invented from the entry would be false evidence. A decision suppresses until a later release.
Where the table already suppresses permanently, it has better evidence and nothing is imported. So a second import
imports nothing. Pure except for the ports.
docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list.html and
docs.aws.amazon.com/ses/latest/dg/sending-email-suppression-list-tenant-level.html
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from hashlib import sha256
from itertools import chain

import msgspec

from pipeline.batch import StreamRecord
from pipeline.decision import make_decision
from pipeline.decode import decode
from pipeline.event import Event
from pipeline.fact import Fact, facts
from pipeline.ingest import Ingestion
from pipeline.ports import Item, SuppressionStore
from pipeline.pseudonym import pseudonym
from pipeline.standing import EVERY_SCOPE, FactKind, Key
from pipeline.timestamp import format_time
from pipeline.verdict import join_verdicts

AUTHOR = "ses-account-list"


class ListEntry(msgspec.Struct, frozen=True, kw_only=True):
    """An entry of one of SES's suppression lists.

    Attributes:
        address: As SES spells it; entries that differ in case only are distinct.
        reason: SES's term: BOUNCE or COMPLAINT.
        updated_at: When SES last added it, aware.
        scope: The name of the tenant whose list it is; `*` for the account's.
    """

    address: str
    reason: str
    updated_at: datetime
    scope: str = EVERY_SCOPE


class ListStatus(StrEnum):
    """The status of an entry in the suppression table."""

    MISSING = "missing"  # the table does not suppress it: import it
    SUPPRESSED = "suppressed"  # permanently, whatever the evidence
    RELEASED = "released"  # by an operator, later than the entry: importing it would change nothing
    UNUSABLE = "unusable"  # not an address
    ERASED = "erased"  # of a person who was erased: importing it would bring the address back


class ListComparison(msgspec.Struct, frozen=True, kw_only=True):
    """An entry compared with the table.

    Attributes:
        entry: The entry.
        status: Its status in the table.
        payload: The decision that an import makes of it.
    """

    entry: ListEntry
    status: ListStatus
    payload: bytes


class ImportCounts(msgspec.Struct, kw_only=True):
    """Counts of the entries that were read so far.

    Attributes:
        listed: Entries by SES's reason, in lower case.
        statuses: Entries by their status before the import; missing ones are imported.
        lists: The same, of each list by its scope.
        written: Items put in the table. Entries that differ in case only share an item.
    """

    listed: Counter[str] = msgspec.field(default_factory=Counter)
    statuses: dict[ListStatus, int] = msgspec.field(default_factory=lambda: dict.fromkeys(ListStatus, 0))
    lists: dict[str, dict[ListStatus, int]] = msgspec.field(default_factory=dict)
    written: int = 0

    def add(self, comparison: ListComparison) -> None:
        """Count an entry."""
        entry, status = comparison.entry, comparison.status
        self.listed[entry.reason.lower()] += 1
        self.statuses[status] += 1
        self.lists.setdefault(entry.scope, dict.fromkeys(ListStatus, 0))[status] += 1


ImportProgress = Callable[[ImportCounts], None]


def import_entries(
    pages: Iterable[Sequence[ListEntry]],
    *,
    store: SuppressionStore,
    ingestion: Ingestion | None,
    erasure_key: bytes | None = None,
    progress: ImportProgress = lambda _: None,
) -> ImportCounts:
    """Import the entries that the table does not suppress; `progress` is called after each page.

    Args:
        pages: The lists; the entries of a page are compared together.
        store: The table that senders query.
        ingestion: Ingests the decisions into log and table. None: count only.
        erasure_key: The secret key of erasures, so that no erased person is imported; None if there is none.
        progress: Receives the counts so far.

    Raises:
        Unavailable: Log or table is throttled or unreachable. Or another error of `STOPS_BATCH`. What was imported
            before it stays; import again.
        ItemRejected: The table rejects an item permanently.
    """
    counts = ImportCounts()
    for page in pages:
        for comparison in compare_list(page, store=store, erasure_key=erasure_key):
            counts.add(comparison)
            if ingestion and comparison.status is ListStatus.MISSING:
                ingestion.add(StreamRecord(payload=comparison.payload, position=AUTHOR))
                if ingestion.is_full:
                    ingestion.flush()
        progress(counts)
    if ingestion:
        ingestion.flush()
        counts.written = ingestion.counts.written
    return counts


def compare_list(
    entries: Sequence[ListEntry], *, store: SuppressionStore, erasure_key: bytes | None = None
) -> list[ListComparison]:
    """Return each entry with its status in the table.

    What suppresses an address in every scope suppresses it for a tenant too. Only a release in the entry's own scope
    keeps it out.

    Raises:
        StoreUnavailable: The table is throttled or unreachable.
        AccessDenied, NotFound: The table may not be read, or does not exist.
    """
    payloads = [decision(entry) for entry in entries]
    decision_facts = [_first_fact(payload) for payload in payloads]
    keys = [key for fact in decision_facts if fact for key in (fact.key, Key(fact.key.address))]
    erased = {
        key: [Key(pseudonym(key.address, key=erasure_key), scope) for scope in (key.scope, EVERY_SCOPE)]
        for key in keys
        if erasure_key
    }
    items = store.load(dict.fromkeys((*keys, *chain.from_iterable(erased.values()))))
    return [
        ListComparison(entry=entry, status=_status(fact, items, erased), payload=payload)
        for entry, fact, payload in zip(entries, decision_facts, payloads, strict=True)
    ]


def decision(entry: ListEntry) -> bytes:
    """Return the decision that an import makes of an entry: always the same bytes and the same id."""
    parts = [AUTHOR, entry.address, entry.reason, format_time(entry.updated_at)]
    identity = msgspec.json.encode(parts if entry.scope == EVERY_SCOPE else [*parts, entry.scope])
    return make_decision(
        decision_id=sha256(identity).hexdigest()[:32],
        action=FactKind.SUPPRESS,
        address=entry.address,
        scope=entry.scope,
        decided_at=entry.updated_at,
        author=AUTHOR,
        reason=entry.reason,
    )


def _first_fact(payload: bytes) -> Fact | None:
    """Return the fact of a decision; None if its address is unusable."""
    events = (outcome for outcome in decode(payload) if isinstance(outcome, Event))
    return next((fact for event in events for fact in facts(event)), None)


def _status(fact: Fact | None, items: Mapping[Key, Item], erased: Mapping[Key, Sequence[Key]]) -> ListStatus:
    if fact is None:
        return ListStatus.UNUSABLE
    if any(items[key].facts_hash for key in erased.get(fact.key, ())):
        return ListStatus.ERASED
    verdict = join_verdicts(items[key].verdict for key in (fact.key, Key(fact.key.address)))
    if verdict.suppressed and verdict.until is None:
        return ListStatus.SUPPRESSED
    release = items[fact.key].standing.release
    return ListStatus.RELEASED if release and release[0].at_ms > fact.evidence.at_ms else ListStatus.MISSING
