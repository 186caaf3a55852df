"""Into the log by Firehose: all of it, within Firehose's limits, or it is said where it stopped."""

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

Answer = Callable[[int, bytes], bool | Exception]
"""Whether Firehose takes a payload at the nth call, or what it raises instead of an answer."""


class Firehose:
    """Firehose's PutRecordBatch, with its limits."""

    def __init__(self, answer: Answer = lambda _call, _payload: True) -> None:
        self.calls: list[list[bytes]] = []
        self.kept: list[bytes] = []
        self._answer = answer

    def put_record_batch(self, *, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        assert DeliveryStreamName == STREAM
        payloads = [record["Data"] for record in Records]
        assert 1 <= len(payloads) <= RECORDS_PER_CALL
        assert sum(map(len, payloads)) <= BYTES_PER_CALL
        assert max(map(len, payloads)) <= BYTES_PER_RECORD
        self.calls.append(payloads)
        answers = [self._one(payload) for payload in payloads]
        return {"FailedPutCount": sum("ErrorCode" in each for each in answers), "RequestResponses": answers}

    def _one(self, payload: bytes) -> dict[str, str]:
        taken = self._answer(len(self.calls), payload)
        if isinstance(taken, Exception):
            raise taken
        if not taken:
            return {"ErrorCode": "ServiceUnavailableException", "ErrorMessage": "Slow down."}
        self.kept.append(payload)
        return {"RecordId": f"r{len(self.kept)}"}


def records(*payloads: bytes) -> list[StreamRecord]:
    return [StreamRecord(payload=payload, position=f"queue {number}") for number, payload in enumerate(payloads)]


def put(firehose: Firehose, *payloads: bytes, quarantine: MemoryQuarantine | None = None) -> tuple[int, list[float]]:
    """Put, and return how many were set aside, and the waits between."""
    waits: list[float] = []
    log = FirehoseLog(
        firehose,  # type: ignore[arg-type]  # what of Firehose is called
        delivery_stream=STREAM,
        quarantine=quarantine or MemoryQuarantine(),
        wait=waits.append,
    )
    return log.put(records(*payloads)), waits


def test_payloads_go_as_they_came_in_order() -> None:
    firehose = Firehose()
    assert put(firehose, b"a", b"b", b"no JSON") == (0, [])
    assert firehose.calls == [[b"a", b"b", b"no JSON"]]


def test_nothing_is_put_for_nothing() -> None:
    firehose = Firehose()
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
def test_a_call_holds_what_firehose_takes_at_once(payloads: list[bytes], calls: list[int]) -> None:
    firehose = Firehose()
    put(firehose, *payloads)
    assert [len(call) for call in firehose.calls] == calls
    assert firehose.kept == payloads


def test_what_a_call_leaves_out_is_put_again_alone_after_ever_longer_waits() -> None:
    firehose = Firehose(lambda call, payload: payload != b"b" or call == 4)
    _, waits = put(firehose, b"a", b"b", b"c")

    assert firehose.calls == [[b"a", b"b", b"c"], [b"b"], [b"b"], [b"b"]]
    assert 0.1 <= waits[0] <= 0.2 <= waits[1] <= 0.4 <= waits[2] <= 0.8


def test_what_is_left_out_without_end_is_an_outage_from_there_on() -> None:
    firehose = Firehose(lambda _call, payload: payload != b"b")
    with pytest.raises(PartialBatchFailure, match=r"left 1 records out of 6 answers: mail-log .* try again") as stopped:
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
def test_a_call_that_ends_in_an_error_is_an_outage_from_its_first_record_on(error: Exception, code: str) -> None:
    firehose = Firehose(lambda call, _payload: error if call == 2 else True)
    with pytest.raises(PartialBatchFailure, match=f"PutRecordBatch ended in {code}: try again") as stopped:
        put(firehose, *[SECRET] * 502)

    assert stopped.value.failed_at == 500
    assert SECRET.decode() not in str(stopped.value)


def test_a_payload_that_firehose_never_takes_is_set_aside_and_passed() -> None:
    firehose, quarantine = Firehose(), MemoryQuarantine()
    large = b"x" * (BYTES_PER_RECORD + 1)

    assert put(firehose, b"a", large, b"c", quarantine=quarantine) == (1, [])
    assert firehose.kept == [b"a", b"c"]
    (held,) = quarantine.held
    assert (held.payload, held.position) == (large, "queue 1")
    assert held.reason == "too large for the log's stream: 1024001 bytes, and Firehose takes 1024000"


def test_such_a_payload_waits_for_a_quarantine_that_is_away() -> None:
    firehose = Firehose()
    with pytest.raises(PartialBatchFailure, match="unavailable") as stopped:
        put(firehose, b"a", b"x" * (BYTES_PER_RECORD + 1), b"c", quarantine=FlakyQuarantine(permanent_outage()))
    assert stopped.value.failed_at == 1
    assert firehose.kept == [b"a", b"c"]


@given(
    st.lists(st.sampled_from([b"a", b"b", b"c", b"x" * (BYTES_PER_RECORD + 1)]), max_size=8),
    st.lists(st.booleans(), max_size=60),
)
def test_whatever_is_left_out_all_before_the_first_undone_is_in_the_log_or_set_aside(
    payloads: list[bytes], taken: list[bool]
) -> None:
    luck = iter(taken)
    firehose, quarantine = Firehose(lambda _call, _payload: next(luck, True)), MemoryQuarantine()
    done = len(payloads)
    try:
        put(firehose, *payloads, quarantine=quarantine)
    except PartialBatchFailure as stopped:
        done = stopped.failed_at

    kept = firehose.kept + [held.payload for held in quarantine.held]
    assert all(kept.count(payload) >= payloads[:done].count(payload) for payload in payloads)
    assert len(firehose.kept) <= len(payloads)
