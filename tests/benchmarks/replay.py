"""Replay of a log of a million events, compared with the usual first loop over archived events.

The peer reads the same events as gzip NDJSON, which Firehose archives without conversion, and folds them into a dict
with `json.loads`. Mailfold reads Parquet from S3 (all of boto3 except for the network). "Fold" compares equal work: the
joined facts of every address. "Replay" is the whole of `pipeline.replay` into an empty table in memory, with items,
verdicts and hashes, which the peer lacks. All must find the same addresses.
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
from tests.benchmarks.logs import EVENTS, FIREHOSE, MAILFOLD, NDJSON, write_logs
from tests.benchmarks.measure import Ratio, against

ROUNDS = 3  # the peer is slow
GOAL = 75
MEMORY_GOAL_MB = 500
LAYOUTS = {MAILFOLD: "in Mailfold's layout", FIREHOSE: "as Firehose writes it"}

Naive = dict[str, tuple[str, str]]


def compare() -> list[Ratio]:
    """Return how many times less CPU time each takes per event. The memory of a replaying process is in the note."""
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
            addresses = _failed_or_complained(_replay(archive))
            assert addresses == set(naive()), "they do not find the same addresses"
            notes[f"replay of a log {layout}"] = f"{len(addresses)} addresses; {_memory(root, bucket)}"
        ratios = against(ways, partial(_counted, naive), goal=GOAL, rounds=ROUNDS, at_most=False)
        return [
            msgspec.structs.replace(ratio, note=notes.get(ratio.name, f"per event, of {EVENTS}")) for ratio in ratios
        ]


def _counted(work: Callable[[], object]) -> int:
    work()
    return EVENTS


def _fold(archive: S3Archive) -> dict[Key, Standing]:
    """Do what `pipeline.replay` does before it uses the table."""
    standings: dict[Key, Standing] = {}
    for scan in archive.scan_facts():
        for key, change in group_by_key(scan.facts).items():
            standings[key] = join(standings[key], change) if key in standings else change
    return standings


def _replay(archive: S3Archive) -> MemoryStore:
    store = MemoryStore()
    assert replay(archive, store=store, policy=DEFAULT_POLICY).rows == EVENTS
    return store


def _failed_or_complained(store: MemoryStore) -> set[str]:
    """Return the addresses with a fact that the peer knows. It does not know SES's list, nor what lifts a complaint."""
    known = ((key, item.standing) for key, item in store.scan())
    return {
        key.address
        for key, facts in known
        if facts.hard or facts.blocked or facts.complaint or facts.uncertain_complaint
    }


def _naive(root: Path) -> Naive:
    """Return the suppressed addresses, with the first and the last time of each."""
    fold: Naive = {}
    for file in sorted((root / NDJSON).iterdir()):
        with gzip.open(file) as lines:
            for line in lines:
                for address, at in _suppressing(json.loads(line)):
                    first, last = fold.get(address, (at, at))
                    fold[address] = min(first, at), max(last, at)
    return fold


def _suppressing(event: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Yield the addresses of a permanent bounce or a complaint, and its time."""
    if event["eventType"] == "Bounce":
        details = event["bounce"]
        people = details["bouncedRecipients"]
        counts = details["bounceType"] == "Permanent" and details["bounceSubType"] in {"General", "NoEmail"}
    elif event["eventType"] == "Complaint":
        details = event["complaint"]
        people = details["complainedRecipients"]
        counts = not details.get("complaintSubType") and details.get("complaintFeedbackType") != "not-spam"
    else:
        return
    for person in people if counts else ():
        if address := canonical(person["emailAddress"]):
            yield address, details["timestamp"]


def _memory(root: Path, bucket: str) -> str:
    code = f"from tests.benchmarks.replay import print_memory; print_memory({str(root)!r}, {bucket!r})"
    command = [sys.executable, "-c", code]
    peak_mb = int(subprocess.run(command, check=True, capture_output=True, timeout=600).stdout)  # noqa: S603 - this module
    return f"peak memory {peak_mb} MB, {'below' if peak_mb < MEMORY_GOAL_MB else 'MISSED:'} {MEMORY_GOAL_MB}"


def print_memory(root: str, bucket: str) -> None:
    """Replay, and print the peak memory of this process in MB."""
    _replay(S3Archive(disk_s3(Path(root)), bucket=bucket))
    # Not getrusage's ru_maxrss: after fork and exec, Linux includes the parent's memory.
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    print(int(status["VmHWM"].split()[0]) // 1024)
