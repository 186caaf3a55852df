"""Appending records to the event log: within Firehose's limits, and with the first record that is not done."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.archive.firehose import BYTES_PER_CALL, BYTES_PER_RECORD, PUT_ATTEMPTS, RECORDS_PER_CALL, FirehoseLog
from pipeline.batch import StreamRecord
from pipeline.errors import PartialBatchFailure
from pipeline.memory import MemoryQuarantine
from tests.support.flaky import FlakyQuarantine, permanent_outage

STREAM = "mail-log"
SECRET = b"ada@example.com"

Behaviour = Callable[[int, bytes], bool | Exception]
"""Returns whether Firehose takes a payload in the nth call, or the error of the whole call."""


class FakeFirehose:
    """Firehose's PutRecordBatch, with its limits."""

    def __init__(self, behaviour: Behaviour = lambda _call, _payload: True) -> None:
        self.calls: list[list[bytes]] = []
        self.kept: list[bytes] = []
        self._behaviour = behaviour

    def put_record_batch(self, *, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        assert DeliveryStreamName == STREAM
        payloads = [record["Data"] for record in Records]
        assert 1 <= len(payloads) <= RECORDS_PER_CALL
        assert sum(map(len, payloads)) <= BYTES_PER_CALL
        assert max(map(len, payloads)) <= BYTES_PER_RECORD
        self.calls.append(payloads)
        results = [self._put(payload) for payload in payloads]
        return {"FailedPutCount": sum("ErrorCode" in result for result in results), "RequestResponses": results}

    def _put(self, payload: bytes) -> dict[str, str]:
        outcome = self._behaviour(len(self.calls), payload)
        if isinstance(outcome, Exception):
            raise outcome
        if not outcome:
            return {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
        self.kept.append(payload)
        return {"RecordId": f"r{len(self.kept)}"}


def records(*payloads: bytes) -> list[StreamRecord]:
    return [StreamRecord(payload=payload, position=f"queue {number}") for number, payload in enumerate(payloads)]


def put(
    firehose: FakeFirehose, *payloads: bytes, quarantine: MemoryQuarantine | None = None
) -> tuple[int, list[float]]:
    """Put the payloads. Return how many were quarantined, and the waits."""
    waits: list[float] = []
    log = FirehoseLog(
        firehose,  # type: ignore[arg-type]  # only `put_record_batch` is called
        delivery_stream=STREAM,
        quarantine=quarantine or MemoryQuarantine(),
        wait=waits.append,
    )
    return log.put(records(*payloads)), waits


def test_payloads_are_put_unchanged_in_order() -> None:
    """Poison too: the transform decodes it."""
    firehose = FakeFirehose()
    assert put(firehose, b"a", b"b", b"no JSON") == (0, [])
    assert firehose.calls == [[b"a", b"b", b"no JSON"]]


def test_no_records_make_no_call() -> None:
    """PutRecordBatch would reject an empty request."""
    firehose = FakeFirehose()
    assert put(firehose) == (0, [])
    assert firehose.calls == []


@pytest.mark.parametrize(
    ("payloads", "calls"),
    [
        ([b"x"] * 501, [500, 1]),
        ([b"x" * BYTES_PER_RECORD] * 5, [4, 1]),
        ([b"x" * 700_000] * 6, [5, 1]),
    ],
)
def test_a_call_is_within_firehoses_limits(payloads: list[bytes], calls: list[int]) -> None:
    """Records are split by number and by bytes."""
    firehose = FakeFirehose()
    put(firehose, *payloads)
    assert [len(call) for call in firehose.calls] == calls
    assert firehose.kept == payloads


def test_records_left_out_of_a_call_are_put_again() -> None:
    """Only these are put again, each time after a longer wait."""
    firehose = FakeFirehose(lambda call, payload: payload != b"b" or call == 4)
    _, waits = put(firehose, b"a", b"b", b"c")

    assert firehose.calls == [[b"a", b"b", b"c"], [b"b"], [b"b"], [b"b"]]
    assert 0.1 <= waits[0] <= 0.2 <= waits[1] <= 0.4 <= waits[2] <= 0.8


def test_a_record_left_out_of_every_call_is_an_outage() -> None:
    """The first such record is reported."""
    firehose = FakeFirehose(lambda _call, payload: payload != b"b")
    with pytest.raises(
        PartialBatchFailure, match=r"left 1 records out of all 6 responses: mail-log .* try again"
    ) as stopped:
        put(firehose, b"a", b"b", b"c")

    assert stopped.value.failed_at == 1
    assert len(firehose.calls) == PUT_ATTEMPTS


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ClientError({"Error": {"Code": "ResourceNotFoundException"}}, "PutRecordBatch"), "ResourceNotFoundException"),
        (ClientError({"Error": {"Code": "AccessDeniedException"}}, "PutRecordBatch"), "AccessDeniedException"),
        (ConnectTimeoutError(endpoint_url="https://firehose"), "ConnectTimeoutError"),
    ],
)
def test_a_failed_call_reports_its_first_record(error: Exception, code: str) -> None:
    """The records of the calls before it are done. The message holds nothing of a payload."""
    firehose = FakeFirehose(lambda call, _payload: error if call == 2 else True)
    with pytest.raises(PartialBatchFailure, match=f"the delivery stream mail-log.*{code}") as stopped:
        put(firehose, *[SECRET] * 502)

    assert stopped.value.failed_at == 500
    assert SECRET.decode() not in str(stopped.value)


def test_an_oversized_payload_is_quarantined() -> None:
    """The other records are put."""
    firehose, quarantine = FakeFirehose(), MemoryQuarantine()
    large = b"x" * (BYTES_PER_RECORD + 1)

    assert put(firehose, b"a", large, b"c", quarantine=quarantine) == (1, [])
    assert firehose.kept == [b"a", b"c"]
    (held,) = quarantine.held
    assert (held.payload, held.position) == (large, "queue 1")
    assert held.reason == "too large for the event log: 1024001 bytes; Firehose's limit is 1024000"


def test_an_oversized_payload_waits_for_the_quarantine() -> None:
    """While the quarantine is unavailable, it is reported; the others are put."""
    firehose = FakeFirehose()
    with pytest.raises(PartialBatchFailure, match="unavailable") as stopped:
        put(firehose, b"a", b"x" * (BYTES_PER_RECORD + 1), b"c", quarantine=FlakyQuarantine(permanent_outage()))
    assert stopped.value.failed_at == 1
    assert firehose.kept == [b"a", b"c"]


@given(
    st.lists(st.sampled_from([b"a", b"b", b"c", b"x" * (BYTES_PER_RECORD + 1)]), max_size=8),
    st.lists(st.booleans(), max_size=60),
)
def test_records_before_the_failure_are_done(payloads: list[bytes], taken: list[bool]) -> None:
    """Whatever Firehose leaves out, they are in the log or in the quarantine."""
    behaviour = iter(taken)
    firehose, quarantine = FakeFirehose(lambda _call, _payload: next(behaviour, True)), MemoryQuarantine()
    end = len(payloads)
    try:
        put(firehose, *payloads, quarantine=quarantine)
    except PartialBatchFailure as stopped:
        end = stopped.failed_at

    kept = firehose.kept + [held.payload for held in quarantine.held]
    assert all(kept.count(payload) >= payloads[:end].count(payload) for payload in payloads)
    assert len(firehose.kept) <= len(payloads)
