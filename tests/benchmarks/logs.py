"""A million events, written as gzip NDJSON, in the log's layout and in Firehose's layout.

They are one file of synthetic traffic many times, each time with other message ids and addresses.
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

NDJSON, MAILFOLD, FIREHOSE = "ndjson", "mailfold", "firehose"  # a folder each, which is a bucket too


def write_logs(root: Path) -> None:
    """Write the events below `root`, on all processors."""
    with ProcessPoolExecutor(mp_context=get_context("spawn")) as pool:
        list(pool.map(partial(_write, root), range(FILES)))


def _write(root: Path, number: int) -> None:
    payloads = [_renamed(payload, number) for payload in events(EVENTS_PER_FILE)]
    _put(root / NDJSON / f"{number:02}.gz", gzip.compress(b"".join(payloads), 6))
    hour = START + number * timedelta(hours=1)
    key = f"events/dt={hour:%Y-%m-%d}/hr={hour:%H}/{number}"
    _put(root / MAILFOLD / key, parquet.encode_rows(_rows(payloads, hour)))
    _put(root / FIREHOSE / key, parquet.encode_rows(_rows(payloads, hour), compression="gzip", sort=False))


def _renamed(payload: bytes, number: int) -> bytes:
    """Return an event with another message id (SES's ids begin with a time) and other addresses."""
    return payload.replace(b"0100019", b"01%05x" % number).replace(b"@", b".%d@" % number)


def _rows(payloads: Sequence[bytes], arrived_at: datetime) -> Iterator[Row]:
    for payload in payloads:
        for outcome in decode(payload):
            assert isinstance(outcome, Event)
            yield to_row(outcome, arrived_at=arrived_at)


def _put(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(data)
