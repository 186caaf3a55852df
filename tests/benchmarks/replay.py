"""Replay of a log of a million events, against the loop that everybody writes first.

The peer reads the same events as Firehose archives them without conversion, gzip NDJSON, and folds them into a dict
with `json.loads`. Ours reads Parquet out of S3 (all of boto3 but the network). "Fold" compares like with like: the
facts of every address, joined. "Replay" is the whole of `pipeline.replay`, with the items, verdicts and hashes of an
empty table in memory, which the peer has not. All must find the same addresses.
"""

import gzip
import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import msgspec

from pipeline.address import canonical
from pipeline.aws.archive.s3 import S3Archive
from pipeline.batch import group_by_key
from pipeline.memory import MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.replay import replay
from pipeline.standing import Key, Standing, join
from tests.benchmarks.disk_s3 import disk_s3
from tests.benchmarks.logs import EVENTS, FIREHOSE, NDJSON, OURS, write_logs
from tests.benchmarks.measure import Ratio, against

ROUNDS = 3  # the peer takes long
GOAL = 75
MEMORY_GOAL_MB = 500
LAYOUTS = {OURS: "laid out by us", FIREHOSE: "as Firehose writes it"}

Naive = dict[str, tuple[str, str]]


def compare() -> list[Ratio]:
    """Compare CPU time per event, in how many times cheaper; the memory of a process that only replays is a note."""
    with TemporaryDirectory() as folder:
        root = Path(folder)
        write_logs(root)
        naive = partial(_naive, root)
        ways: dict[str, Callable[[], int]] = {}
        notes: dict[str, str] = {}
        for bucket, layout in LAYOUTS.items():
            archive = S3Archive(disk_s3(root), bucket=bucket)
            ways[f"fold of a log {layout}"] = partial(_counted, partial(_fold, archive))
            ways[f"replay of a log {layout}"] = partial(_counted, partial(_replay, archive))
            found = _suppressed(_replay(archive))
            assert found == set(naive()), "they do not find the same addresses"
            notes[f"replay of a log {layout}"] = f"{len(found)} addresses; {_memory(root, bucket)}"
        ratios = against(ways, partial(_counted, naive), goal=GOAL, rounds=ROUNDS, at_most=False)
        return [
            msgspec.structs.replace(ratio, note=notes.get(ratio.name, f"per event, of {EVENTS}")) for ratio in ratios
        ]


def _counted(work: Callable[[], object]) -> int:
    work()
    return EVENTS


def _fold(archive: S3Archive) -> dict[Key, Standing]:
    """Do what `pipeline.replay` does before it turns to the table."""
    held: dict[Key, Standing] = {}
    for scan in archive.scan_facts():
        for key, change in group_by_key(scan.facts).items():
            held[key] = join(held[key], change) if key in held else change
    return held


def _replay(archive: S3Archive) -> MemoryStore:
    store = MemoryStore()
    assert replay(archive, store=store, policy=DEFAULT_POLICY).rows == EVENTS
    return store


def _suppressed(store: MemoryStore) -> set[str]:
    return {key.address for key, item in store.scan() if item.verdict.suppressed}


def _naive(root: Path) -> Naive:
    """Return who is suppressed, with the first and the last time."""
    fold: Naive = {}
    for file in sorted((root / NDJSON).iterdir()):
        with gzip.open(file) as lines:
            for line in lines:
                for address, at in _bad_news(json.loads(line)):
                    first, last = fold.get(address, (at, at))
                    fold[address] = min(first, at), max(last, at)
    return fold


def _bad_news(event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Give whom a permanent bounce or a complaint is about, and when it came."""
    if event["eventType"] == "Bounce":
        own = event["bounce"]
        people = own["bouncedRecipients"]
        counts = own["bounceType"] == "Permanent" and own["bounceSubType"] in {"General", "NoEmail"}
    elif event["eventType"] == "Complaint":
        own = event["complaint"]
        people = own["complainedRecipients"]
        counts = not own.get("complaintSubType") and own.get("complaintFeedbackType") != "not-spam"
    else:
        return
    for person in people if counts else ():
        if address := canonical(person["emailAddress"]):
            yield address, own["timestamp"]


def _memory(root: Path, bucket: str) -> str:
    code = f"from tests.benchmarks.replay import tell_memory; tell_memory({str(root)!r}, {bucket!r})"
    command = [sys.executable, "-c", code]
    peak_mb = int(subprocess.run(command, check=True, capture_output=True, timeout=600).stdout)  # noqa: S603 - our own
    return f"peak memory {peak_mb} MB, {'below' if peak_mb < MEMORY_GOAL_MB else 'MISSED:'} {MEMORY_GOAL_MB}"


def tell_memory(root: str, bucket: str) -> None:
    """Replay, and print the most memory that this process ever held, in MB."""
    _replay(S3Archive(disk_s3(Path(root)), bucket=bucket))
    # Not getrusage's ru_maxrss: after fork and exec Linux counts the parent's memory in.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) // 1024)
