"""The drill: compare the fold of the whole log with the whole table, and write nothing.

Mail goes on while a drill runs, so a difference may be in flight: the event is in one of both and on its way to the
other. Before it counts, its item is loaded again, and these facts are left out:

- A fact that arrived in the newest hours of the log, and may not be in the table yet.
- A fact of the table whose time is in the last days, and that may not be visible in the log yet; see `VISIBLE_AFTER`.

Pure except for the ports.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from typing import NamedTuple

import msgspec

from pipeline.batch import in_parts
from pipeline.difference import Difference, FactsByKind
from pipeline.digest import DigestSum
from pipeline.ports import Item, SuppressionStore
from pipeline.reconcile import KEYS_PER_LOOK
from pipeline.standing import Key, Standing, join, kept_facts

# Firehose buffers for 15 minutes, twice, and tries for up to 24 hours to deliver to S3; then it keeps the record below
# its error prefix. (docs.aws.amazon.com/firehose/latest/dev/retry.html) A late report of an old event has an old time:
# its evidence may then be written into the log beside it, which is the same fact twice and changes nothing.
VISIBLE_AFTER = timedelta(days=2)


class Sides(NamedTuple):
    """What is known about an address in one scope.

    Attributes:
        log: The facts of the whole log, which was read first.
        table: The facts of the table, which was scanned next.
        newest: The facts of the newest hours of the log, which were read last.
    """

    log: Standing
    table: Standing
    newest: Standing


class SettledDifference(msgspec.Struct, frozen=True, kw_only=True):
    """An address and scope of which log and table have different facts, though nothing about it is in flight.

    Attributes:
        key: The address and scope.
        missing: The facts that the table lacks.
        extra: The facts that the log lacks.
        has_item: Whether the table has an item of the address.
    """

    key: Key
    missing: FactsByKind
    extra: FactsByKind
    has_item: bool


class DrillResult(msgspec.Struct, kw_only=True):
    """The result of a drill. Each address counts once for each of its scopes.

    Attributes:
        log_digest: The digest of the log's fold.
        table_digest: The digest of the table as it was scanned.
        compared: Addresses of the log, the table, or both.
        missing: Addresses without an item, though the log has facts of them.
        stale: Addresses whose item lacks facts of the log.
        extra: Addresses with facts that only the table has.
        in_flight: Addresses that differ only by what is in flight.
        missing_facts: The facts that the table lacks, by kind.
        extra_facts: The facts that the log lacks, by kind.
    """

    log_digest: str = ""
    table_digest: str = ""
    compared: int = 0
    missing: int = 0
    stale: int = 0
    extra: int = 0
    in_flight: int = 0
    missing_facts: dict[str, int] = msgspec.field(default_factory=dict)
    extra_facts: dict[str, int] = msgspec.field(default_factory=dict)

    @property
    def is_proved(self) -> bool:
        """True if log and table are equal, but for what is in flight."""
        return not (self.missing or self.stale or self.extra)

    def add(self, difference: SettledDifference) -> None:
        """Count an address that differs."""
        self.missing += bool(difference.missing) and not difference.has_item
        self.stale += bool(difference.missing) and difference.has_item
        self.extra += bool(difference.extra)
        _count(difference.missing, self.missing_facts)
        _count(difference.extra, self.extra_facts)


def _count(facts: FactsByKind, counts: dict[str, int]) -> None:
    for kind, _ in facts:
        counts[kind.value] = counts.get(kind.value, 0) + 1


def drill(
    parts: Iterable[Mapping[Key, Sides]],
    *,
    store: SuppressionStore,
    visible_before_ms: int,
    show: Callable[[SettledDifference], None] = lambda _: None,
    progress: Callable[[DrillResult], None] = lambda _: None,
) -> DrillResult:
    """Compare log and table, address by address.

    Args:
        parts: The sides of every address and scope, each once.
        store: The table, to load items that differ again.
        visible_before_ms: A fact of the table counts as lost to the log if its time is before this.
        show: Called with each difference.
        progress: Called with the counts so far.

    Raises:
        Unavailable: The log or the table is throttled or unreachable. Or another error of `STOPS_BATCH`.
    """
    result, log_sum, table_sum = DrillResult(), DigestSum(), DigestSum()
    for part in parts:
        suspects = {}
        for key, sides in part.items():
            log = join(sides.log, sides.newest)
            log_sum.add(key, log)
            table_sum.add(key, sides.table)
            if log != sides.table:
                suspects[key] = sides
        result.compared += len(part)
        _look_again(suspects, store, visible_before_ms, result, show)
        progress(result)
    result.log_digest, result.table_digest = log_sum.hex(), table_sum.hex()
    return result


def _look_again(
    suspects: Mapping[Key, Sides],
    store: SuppressionStore,
    visible_before_ms: int,
    result: DrillResult,
    show: Callable[[SettledDifference], None],
) -> None:
    """Load the items that differ again, and count what is not in flight."""
    for some in in_parts(suspects, KEYS_PER_LOOK):
        for key, item in store.load(some).items():
            found = _settled(key, suspects[key], item, visible_before_ms)
            if found.missing or found.extra:
                result.add(found)
                show(found)
            else:
                result.in_flight += 1


def _settled(key: Key, sides: Sides, item: Item, visible_before_ms: int) -> SettledDifference:
    """Return the difference without what is in flight."""
    arriving = frozenset(kept_facts(sides.newest))
    missing = Difference(key=key, log=sides.log, table=item.standing).missing
    extra = Difference(key=key, log=join(sides.log, sides.newest), table=sides.table).extra
    return SettledDifference(
        key=key,
        missing=tuple(fact for fact in missing if fact not in arriving),
        extra=tuple((kind, evidence) for kind, evidence in extra if evidence.at_ms < visible_before_ms),
        has_item=bool(item.facts_hash),
    )
