"""How far each source was ingested: the entries of a manifest, and their join."""

from collections.abc import Iterable, Mapping
from typing import Self

import msgspec


class SourceProgress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a source was ingested.

    Attributes:
        records: Number of records that were read.
        rejected: The numbers of those that were rejected, from 1.
        is_complete: True if there are no further records.
    """

    records: int = 0
    rejected: frozenset[int] = frozenset()
    is_complete: bool = False

    def rank(self) -> tuple[bool, int, int]:
        """Return a value that is greater the further the source was ingested."""
        return self.is_complete, self.records, -len(self.rejected)

    @property
    def is_done(self) -> bool:
        """True if every record was ingested."""
        return self.is_complete and not self.rejected

    def lacks(self, number: int) -> bool:
        """Return True if a record was not ingested."""
        return number > self.records or number in self.rejected

    def after(self, number: int, *, is_rejected: bool) -> Self:
        """Return the progress after one more record."""
        rejected = self.rejected | {number} if is_rejected else self.rejected - {number}
        return msgspec.structs.replace(self, records=max(self.records, number), rejected=rejected)

    def completed(self) -> Self:
        """Return the progress after the last record."""
        return msgspec.structs.replace(self, is_complete=True)


NOT_BEGUN = SourceProgress()


def furthest(entries: Iterable[Mapping[str, SourceProgress]]) -> dict[str, SourceProgress]:
    """Return the furthest progress of every source in the entries of a manifest."""
    known: dict[str, SourceProgress] = {}
    for entry in entries:
        for source, progress in entry.items():
            known[source] = max(known.get(source, NOT_BEGUN), progress, key=SourceProgress.rank)
    return known
