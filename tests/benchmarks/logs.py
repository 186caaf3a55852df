"""A million events written three times: as gzip NDJSON, as the log that `S3Archive` writes, as the one Firehose does.

They are one file of made-up traffic again and again, each time with mails and people of its own.
"""

import gzip
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import datetime, timedelta
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from pipeline.aws.archive import parquet
from pipeline.decode import decode
from pipeline.event import Event
from pipeline.row import Row, to_row
from tests.benchmarks.sample import START, events

EVENTS_PER_FILE = 40_000  # about what Firehose's buffer of 128 MB holds
FILES = 25
EVENTS = FILES * EVENTS_PER_FILE

NDJSON, OURS, FIREHOSE = "ndjson", "ours", "firehose"  # a folder each, and a bucket


def write_logs(root: Path) -> None:
    """Write them below `root`, on all processors."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        list(pool.map(partial(_write, root), range(FILES)))


def _write(root: Path, number: int) -> None:
    payloads = [_renamed(payload, number) for payload in events(EVENTS_PER_FILE)]
    _put(root / NDJSON / f"{number:02}.gz", gzip.compress(b"".join(payloads), 6))
    hour = START + number * timedelta(hours=1)
    key = f"events/dt={hour:%Y-%m-%d}/hr={hour:%H}/{number}"
    _put(root / OURS / key, parquet.encode_rows(_rows(payloads, hour)))
    _put(root / FIREHOSE / key, parquet.encode_rows(_rows(payloads, hour), compression="gzip", sort=False))


def _renamed(payload: bytes, number: int) -> bytes:
    """Return an event about another mail (SES's ids of this time begin so) to other people."""
    return payload.replace(b"0100019", b"01%05x" % number).replace(b"@", b".%d@" % number)


def _rows(payloads: Sequence[bytes], arrived_at: datetime) -> Iterator[Row]:
    for payload in payloads:
        for outcome in decode(payload):
            assert isinstance(outcome, Event)
            yield to_row(outcome, arrived_at=arrived_at)


def _put(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
