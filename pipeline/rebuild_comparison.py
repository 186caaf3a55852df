"""Compare the log, the new table of a rebuild and the live table, address by address; see `pipeline.rebuild`.

Pure except for the ports.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import msgspec

from pipeline.difference import Difference
from pipeline.digest import DigestSum
from pipeline.ports import SuppressionStore
from pipeline.standing import NOTHING_KNOWN, Key, Standing


class Witnesses(NamedTuple):
    """What is known about an address in one scope.

    Attributes:
        log: The facts of the whole log.
        new: The facts of the new table, which was scanned after the log.
        live: The facts of the live table, which was scanned last.
    """

    log: Standing = NOTHING_KNOWN
    new: Standing = NOTHING_KNOWN
    live: Standing = NOTHING_KNOWN


class Comparison(msgspec.Struct, kw_only=True):
    """The log, the new table and the live one, compared address by address.

    Attributes:
        addresses: Addresses of any of the three, each once for each of its scopes.
        log_digest: The digest of the fold of the log.
        new_digest: The digest of the new table.
        live_digest: The digest of the live table.
        ahead: Addresses of which the new table has facts that the log does not show yet, from live traffic.
        lacking: What the new table lacks of the log: it arrived since the last fold.
        gone: Addresses of which the live table has facts that the new one lacks.
        disappearing: The facts that the live table has and the new one lacks, by kind.
        appearing: The facts that the new table has and the live one lacks, by kind.
    """

    addresses: int = 0
    log_digest: str = ""
    new_digest: str = ""
    live_digest: str = ""
    ahead: int = 0
    lacking: dict[Key, Standing] = msgspec.field(default_factory=dict)
    gone: dict[Key, Difference] = msgspec.field(default_factory=dict)
    disappearing: Counter[str] = msgspec.field(default_factory=Counter)
    appearing: Counter[str] = msgspec.field(default_factory=Counter)

    def add(self, key: Key, witnesses: Witnesses) -> None:
        """Count an address."""
        self.addresses += 1
        proof = Difference(key=key, log=witnesses.log, table=witnesses.new)
        if proof.missing:
            self.lacking[key] = witnesses.log
        elif proof.extra:
            self.ahead += 1
        change = Difference(key=key, log=witnesses.new, table=witnesses.live)
        self.appearing.update(kind.value for kind, _ in change.missing)
        if change.extra:
            self.gone[key] = change

    def count_gone(self) -> None:
        """Count the facts that disappear, once it is known which do."""
        self.disappearing = Counter(kind.value for change in self.gone.values() for kind, _ in change.extra)

    @property
    def is_proved(self) -> bool:
        """True if the new table has every fact of the log."""
        return not self.lacking


def compare_tables(
    parts: Iterable[Mapping[Key, Witnesses]], *, progress: Callable[[Comparison], None] = lambda _: None
) -> Comparison:
    """Compare the log, the new table and the live one.

    Args:
        parts: What is known about every address and scope, each once.
        progress: Called with the counts so far.
    """
    comparison, sums = Comparison(), [DigestSum() for _ in Witnesses._fields]
    for part in parts:
        for key, witnesses in part.items():
            comparison.add(key, witnesses)
            for total, standing in zip(sums, witnesses, strict=True):
                total.add(key, standing)
        progress(comparison)
    comparison.log_digest, comparison.new_digest, comparison.live_digest = (total.hex() for total in sums)
    return comparison


def look_again(keys: Iterable[Key], *, new: SuppressionStore, live: SuppressionStore) -> dict[Key, Difference]:
    """Return the addresses of which the live table still has facts that the new one lacks.

    The live table is read first, so what a projector writes to both meanwhile is no difference.
    """
    gone = {}
    wanted = tuple(keys)
    before = live.load(wanted)
    for key, item in new.load(wanted).items():
        change = Difference(key=key, log=item.standing, table=before[key].standing)
        if change.extra:
            gone[key] = change
    return gone


def event_ids(differences: Iterable[Difference]) -> frozenset[str]:
    """Return the events of the facts that only the table has."""
    return frozenset(evidence.event_id for difference in differences for _, evidence in difference.extra)


def unlogged(differences: Iterable[Difference], logged: frozenset[str]) -> list[Difference]:
    """Return the addresses with a fact that only the table has, and whose event is not in the log.

    Args:
        differences: Addresses of which the table has facts beyond the log.
        logged: Those of `event_ids` that are in the log.
    """
    return [difference for difference in differences if event_ids([difference]) - logged]
