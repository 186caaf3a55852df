"""The fold of the event log on one machine: facts are read from Parquet and joined by key, in bounded memory."""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime

from pipeline.aws.spill import KEYS_HELD, Spill
from pipeline.batch import group_by_key
from pipeline.fact import Fact
from pipeline.ports import Archive, FactScan
from pipeline.standing import Key, Standing

FACTS_HELD = 50_000  # before they are joined: about 30 MB


class ArchiveFold:
    """Folds a log; see `ports.LogFold`.

    Args:
        archive: The log.
        on_scan: Called after each part of the log that was read, for the progress.
        keys_held: The number of keys in memory; see `Spill`.
    """

    def __init__(
        self, archive: Archive, *, on_scan: Callable[[FactScan], None] = lambda _: None, keys_held: int = KEYS_HELD
    ) -> None:
        self._archive, self._on_scan, self._keys_held = archive, on_scan, keys_held

    def standings(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Mapping[Key, Standing]]:
        """See `ports.LogFold`.

        Raises:
            OSError: The file system of the temporary folder is full.
        """
        with Spill(keys_held=self._keys_held) as spill:
            held: list[Fact] = []
            for scan in self._archive.scan_hours(since=since, until=until):
                held += scan.facts
                if len(held) >= FACTS_HELD:
                    spill.add(group_by_key(held))
                    held = []
                self._on_scan(scan)
            spill.add(group_by_key(held))
            for part in spill.parts():
                yield {key: standing for key, (standing,) in part.items()}
