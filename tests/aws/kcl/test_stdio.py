"""Standard input and output belong to the daemon alone, in any locale, and signals are left to it."""

import json
import signal

from pipeline.aws.kcl.health import ShardState
from tests.support.builders import ADA, BOB, a_bounce, in_eventbridge
from tests.support.processor_cloud import Cloud
from tests.support.record_processor_client import SHARD, RecordProcessorClient, a_record, records, sequence_number

WHOLE_BATCH = {"action": "checkpoint", "sequenceNumber": None, "subSequenceNumber": None}

ASCII_LOCALE = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

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
    os.system("echo from a child; cat")  # cat would read the daemon's next message
    return project(self, batch)

BatchProjector.project = noisy
module.run_record_processor()
"""


def a_bounce_of(address: str) -> bytes:
    return in_eventbridge(a_bounce(recipients=[address], feedback_id=address))


def test_text_may_be_anything_under_any_locale(cloud: Cloud) -> None:
    """The daemon writes UTF-8. A partition key that its own locale has damaged stops nothing either."""
    with RecordProcessorClient({**cloud.environment, **ASCII_LOCALE}) as client:
        client.initialize()
        batch = [a_record(a_bounce_of(ADA), 0, partition_key="pé中"), a_record("é".encode(), 1, partition_key="\ud83d")]
        text = json.dumps(batch[0], ensure_ascii=False).encode() + b"," + json.dumps(batch[1]).encode()
        damaged = json.dumps(a_record(a_bounce_of(BOB), 2, partition_key="@")).encode().replace(b"@", b"p\xe9")
        client.send_line(b'{"action":"processRecords","millisBehindLatest":0,"records":[%b,%b]}' % (text, damaged))
        assert client.await_reaction().acknowledged == "processRecords"
        assert client.close() == 0
    assert cloud.suppressed() == {ADA, BOB}
    assert list(cloud.quarantined()) == [f"mail-feedback {SHARD} {sequence_number(1)}"]


def test_printed_text_reaches_the_log_and_not_the_daemon(cloud: Cloud) -> None:
    """From Python, from C, and from a child process."""
    with RecordProcessorClient({**cloud.environment, "PATH": "/usr/bin:/bin"}, program=("-c", NOISE)) as client:
        client.initialize()
        reaction = client.process(records(a_bounce_of(ADA)))
        assert (reaction.checkpoints, reaction.acknowledged) == ([WHOLE_BATCH], "processRecords")
        assert client.act("leaseLost").acknowledged == "leaseLost"
        assert client.close() == 0
    assert b"".join(client.output).count(b"action") == 4
    log = b"".join(client.log)
    assert log.count(b'{"action":"status"') == 2
    assert b'{"action":"checkpoint"}' in log
    assert b"from a child" in log


def test_a_daemon_that_is_gone_ends_an_outage(cloud_without_table: Cloud) -> None:
    """The process does not wait for the table once the daemon has closed its pipe."""
    with RecordProcessorClient(cloud_without_table.environment) as client:
        client.initialize()
        client.send({"action": "processRecords", "records": records(a_bounce_of(ADA)), "millisBehindLatest": 0})
        client.await_health(state=ShardState.WAITING)
        assert client.close() == 1


def test_signals_to_the_whole_service_are_left_to_the_daemon(cloud: Cloud) -> None:
    """The process survives them, and writes the last checkpoint that the daemon requests."""
    with RecordProcessorClient(cloud.environment) as client:
        client.initialize()
        for number in (signal.SIGINT, signal.SIGTERM):
            client.signal(number)
        for index in range(2):  # the first checkpoint is written at once
            assert client.process(records(a_bounce_of(ADA), first=index)).acknowledged == "processRecords"
        assert client.act("shutdownRequested").checkpoints == [WHOLE_BATCH]
        assert client.close() == 0
