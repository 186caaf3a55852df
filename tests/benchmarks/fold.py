"""The fold of a log of a million events on one machine, compared with a bare scan of the same columns.

The peer reads the columns of the facts of all rows with feedback by pyarrow, and drops them.
"""

from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq

from pipeline.aws.archive.facts import FACT_COLUMNS
from pipeline.aws.archive.fold import ArchiveFold
from pipeline.aws.archive.s3 import S3Archive
from tests.benchmarks.disk_s3 import disk_s3
from tests.benchmarks.logs import EVENTS, MAILFOLD, write_logs
from tests.benchmarks.measure import Ratio, alternate

GOAL = 2.5
ROUNDS = 3


def compare() -> list[Ratio]:
    """Return how many times the CPU time of the scan a fold takes."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        write_logs(root)
        archive = S3Archive(disk_s3(root), bucket=MAILFOLD)
        keys = sum(len(part) for part in ArchiveFold(archive).standings())
        note = f"per event, of {EVENTS}; {keys} keys"
        name = "fold on one machine, against a bare filtered scan"
        return [alternate(name, partial(_fold, archive), partial(_scan, root), goal=GOAL, rounds=ROUNDS, note=note)]


def _fold(archive: S3Archive) -> int:
    for _ in ArchiveFold(archive).standings():
        pass
    return EVENTS


def _scan(root: Path) -> int:
    filters: Any = [("is_feedback", "==", True)]
    for file in sorted((root / MAILFOLD).rglob("*")):
        if file.is_file():
            pq.read_table(file, columns=list(FACT_COLUMNS), filters=filters, use_threads=False, partitioning=None)
    return EVENTS
