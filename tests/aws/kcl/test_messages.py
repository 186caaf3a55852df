"""What stands in the daemon's messages, and what must never stand among the answers."""

import json

import pytest

from tests.aws.kcl.conftest import Cloud
from tests.support.builders import ADA, BOB, a_bounce, a_delivery, in_eventbridge
from tests.support.record_processor_client import SHARD, Daemon, a_record, records, sequence_number

POISON = b"no JSON at all"
WHOLE_BATCH = {"action": "checkpoint", "sequenceNumber": None, "subSequenceNumber": None}
ASCII_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


def a_bounce_of(address: str) -> bytes:
    return in_eventbridge(a_bounce(recipients=[address], feedback_id=address))


def test_partition_keys_and_payloads_may_hold_any_text_under_any_locale(cloud: Cloud) -> None:
    """The daemon writes a key as UTF-8; one that its own locale has spoilt stops nothing either."""
    with Daemon({**cloud.environment, **ASCII_LOCALE}) as daemon:
        daemon.initialize()
        batch = [a_record(a_bounce_of(ADA), 0, partition_key="pé中"), a_record("é".encode(), 1, partition_key="\ud83d")]
        text = json.dumps(batch[0], ensure_ascii=False).encode() + b"," + json.dumps(batch[1]).encode()
        spoilt = json.dumps(a_record(a_bounce_of(BOB), 2, partition_key="@")).encode().replace(b"@", b"p\xe9")
        daemon.send_line(b'{"action":"processRecords","millisBehindLatest":0,"records":[%b,%b]}' % (text, spoilt))
        assert daemon.answered().acknowledged == "processRecords"
        assert daemon.close() == 0
    assert cloud.suppressed() == {ADA, BOB}
    assert list(cloud.quarantined()) == [f"mail-feedback {SHARD} {sequence_number(1)}"]


def test_the_parts_of_an_aggregated_record_are_told_apart(cloud: Cloud) -> None:
    """The daemon takes them out of the aggregate: they share a sequence number, and count from 0."""
    with Daemon(cloud.environment) as daemon:
        daemon.initialize()
        parts = [a_record(data, 4, sub=sub) for sub, data in enumerate([POISON, a_bounce_of(ADA), POISON, POISON])]
        assert daemon.process([*parts, a_record(a_bounce_of(BOB), 5)]).acknowledged == "processRecords"
        assert daemon.close() == 0
    place = f"mail-feedback {SHARD} {sequence_number(4)}"
    assert cloud.suppressed() == {ADA, BOB}
    assert set(cloud.quarantined()) == {place, f"{place} 2", f"{place} 3"}


@pytest.mark.parametrize("data", [None, "", "no base64!"])
def test_data_that_is_none_is_set_aside_too(cloud: Cloud, data: str | None) -> None:
    with Daemon(cloud.environment) as daemon:
        daemon.initialize()
        assert daemon.process([{**a_record(b""), "data": data}]).acknowledged == "processRecords"
        assert daemon.close() == 0
    assert list(cloud.quarantined()) == [f"mail-feedback {SHARD} {sequence_number(0)}"]


def test_a_batch_as_large_as_they_come_is_one_round(cloud: Cloud) -> None:
    """10,000 records are the most that Kinesis returns at once; they are folded before the table is asked."""
    batch = [a_delivery() if index % 100 else a_bounce_of(f"user{index % 500}@example.com") for index in range(10_000)]
    with Daemon(cloud.environment) as daemon:
        daemon.initialize()
        assert daemon.process(records(*batch)).acknowledged == "processRecords"
        assert daemon.process([]).acknowledged == "processRecords"
        assert daemon.close() == 0
    assert len(cloud.suppressed()) == 5
    assert daemon.healths[-1].records == 10_000
    (written,) = [line["Written"] for line in daemon.log_entries if "Written" in line]
    assert written == [5]


@pytest.mark.parametrize(
    "line",
    [
        b"no JSON",
        b'{"action":"processRecords"',
        b'{"action":"dance","records":["' + ADA.encode() + b'"]}',
        b'{"records":["' + ADA.encode() + b'"]}',
        b"[]",
    ],
)
def test_a_line_that_is_no_message_ends_the_process_and_nothing_is_acknowledged(cloud: Cloud, line: bytes) -> None:
    """What it holds is not told: it may be records."""
    with Daemon(cloud.environment) as daemon:
        daemon.initialize()
        daemon.send_line(line)
        assert daemon.answered().acknowledged is None
        assert daemon.wait() == 1
    assert ADA.encode() not in b"".join(daemon.log)


def test_a_daemon_that_is_out_of_step_is_not_gone_on_with(cloud: Cloud) -> None:
    """A message in place of the answer to a checkpoint would be taken for it, and acknowledged unread by the next."""
    with Daemon(cloud.environment) as daemon:
        daemon.initialize()
        daemon.send({"action": "processRecords", "records": records(a_bounce_of(ADA)), "millisBehindLatest": 0})
        assert daemon.receive() == WHOLE_BATCH
        assert daemon.process(records(a_bounce_of(BOB), first=1)).acknowledged is None
        assert daemon.wait() == 1


@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("MAILFOLD_STREAM", "MAILFOLD_STREAM is not set"),
        ("AWS_DEFAULT_REGION", "a region"),
    ],
)
def test_a_process_that_cannot_begin_says_why(cloud: Cloud, missing: str, said: str) -> None:
    with Daemon({name: value for name, value in cloud.environment.items() if name != missing}) as daemon:
        assert daemon.wait() == 2
    (entry,) = daemon.log_entries
    assert entry["level"] == "ERROR"
    assert said in entry["why"]


NOISE = """
import os, sys
import pipeline.aws.projector_kcl as module
from pipeline.projection import BatchProjector

project = BatchProjector.project

def noisy(self, batch):
    print('{"action":"status","responseFor":"processRecords"}', flush=True)
    sys.__stdout__.write('{"action":"status"}\\n')
    sys.__stdout__.flush()
    os.write(1, b'{"action":"checkpoint"}\\n')
    os.system("echo a child of its own; cat")  # which would else read the daemon's next message
    return project(self, batch)

BatchProjector.project = noisy
module.run_record_processor()
"""


def test_what_anything_prints_reaches_the_log_and_never_the_daemon(cloud: Cloud) -> None:
    """In Python, below it, and in a process of its own."""
    with Daemon({**cloud.environment, "PATH": "/usr/bin:/bin"}, program=("-c", NOISE)) as daemon:
        daemon.initialize()
        handled = daemon.process(records(a_bounce_of(ADA)))
        assert (handled.checkpoints, handled.acknowledged) == ([WHOLE_BATCH], "processRecords")
        assert daemon.ask("leaseLost").acknowledged == "leaseLost"
        assert daemon.close() == 0
    assert b"".join(daemon.output).count(b"action") == 4
    said = b"".join(daemon.log)
    assert said.count(b'{"action":"status"') == 2
    assert b'{"action":"checkpoint"}' in said
    assert b"a child of its own" in said
