"""Compare the fold of the event log with a table: which facts only one of them has, address by address.

A table may lack facts of the log, because a delivery was lost; a join heals it. A table may have facts that the log
lacks: the event reached the feedback stream and never the log, or a decoder read it otherwise. Pure.
"""

from collections.abc import Iterable, Iterator, Mapping

import msgspec

from pipeline.standing import Evidence, FactKind, Key, Standing, join, kept_facts

FactsByKind = tuple[tuple[FactKind, Evidence], ...]


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """An address and scope of which log and table have different facts.

    Attributes:
        key: The address and scope.
        log: The facts of the log.
        table: The facts of the table.
    """

    key: Key
    log: Standing
    table: Standing

    @property
    def healed(self) -> Standing:
        """The facts of both. The table must have them."""
        return join(self.table, self.log)

    @property
    def missing(self) -> FactsByKind:
        """The facts that the table lacks."""
        return _beyond(self.healed, self.table)

    @property
    def extra(self) -> FactsByKind:
        """The facts that the log lacks."""
        return _beyond(self.healed, self.log)


def differences(pairs: Iterable[Mapping[Key, tuple[Standing, Standing]]]) -> Iterator[Difference]:
    """Yield the keys of which log and table have different facts.

    Args:
        pairs: The standings of all keys, first the log's and then the table's, each key once.
    """
    for part in pairs:
        for key, (log, table) in part.items():
            if log != table:
                yield Difference(key=key, log=log, table=table)


def _beyond(whole: Standing, part: Standing) -> FactsByKind:
    """Return the facts of `whole` that `part` lacks."""
    known = set(kept_facts(part))
    return tuple(fact for fact in kept_facts(whole) if fact not in known)
