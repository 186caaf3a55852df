"""The fold of a log in memory, for tests that need no spill."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime

from pipeline.batch import group_by_key
from pipeline.memory import MemoryArchive
from pipeline.row import Row
from pipeline.standing import Key, Standing


class MemoryFold:
    """Folds rows; see `ports.LogFold`. Rows can be added."""

    def __init__(self, rows: Sequence[Row] = ()) -> None:
        self._archive = MemoryArchive()
        self._archive.append(rows)

    def append(self, rows: Sequence[Row]) -> None:
        """Add rows to the log."""
        self._archive.append(rows)

    def standings(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Mapping[Key, Standing]]:
        """See `ports.LogFold`."""
        scans = list(self._archive.scan_hours(since=since, until=until))
        yield group_by_key(fact for scan in scans for fact in scan.facts)
