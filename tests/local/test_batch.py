"""Decisions about batches follow Lambda's guide, and no record is skipped."""

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.local.event_source_mapping.batch import (
    UNLIMITED_RETRIES,
    RetryDecision,
    ShardBatch,
    decide,
    resume_at,
    sequence_number,
)

ALL_FAILED = 0


def a_batch(count: int, *, first: int = 1, failures: int = 0) -> ShardBatch:
    records = [{"kinesis": {"sequenceNumber": str(number)}} for number in range(first, first + count)]
    return ShardBatch(records=records, failures=failures)


def failing(*identifiers: object) -> dict[str, object]:
    return {"batchItemFailures": [{"itemIdentifier": identifier} for identifier in identifiers]}


def numbers(batch: ShardBatch) -> list[int]:
    return [int(sequence_number(record)) for record in batch.records]


@pytest.mark.parametrize("answer", [None, {}, {"batchItemFailures": None}, {"batchItemFailures": []}, "fine"])
def test_an_answer_without_failures_finishes_the_batch(answer: object) -> None:
    """Whatever else the function returns, no reported failure is a success."""
    assert resume_at(a_batch(3), answer) is None


def test_the_lowest_failed_sequence_number_counts() -> None:
    """Sequence numbers are compared as numbers: as text, "10" comes before "9"."""
    assert resume_at(a_batch(12), failing("10", "9", "12")) == 8


@pytest.mark.parametrize(
    "answer",
    [
        failing(""),
        failing(None),
        failing("99"),
        failing("2", "99"),
        failing("shardId-000000000000:2"),
        {"batchItemFailures": [{"sequenceNumber": "2"}]},
        {"batchItemFailures": ["2"]},
    ],
    ids=["empty", "null", "not in the batch", "one not in the batch", "no number", "wrong key", "no object"],
)
def test_an_invalid_identifier_fails_the_whole_batch(answer: object) -> None:
    """A missing, empty or unknown item identifier makes Lambda retry the whole batch."""
    assert resume_at(a_batch(3), answer) == ALL_FAILED


def test_splitting_behind_finished_records_is_no_retry() -> None:
    """The rest behind the finished records becomes a new batch, even with no retry allowed."""
    decision = decide(a_batch(5), 2, bisect=True, maximum_retry_attempts=0)
    assert decision == RetryDecision(finished=2, retry=[a_batch(3, first=3)])


def test_splitting_in_the_middle_is_no_retry() -> None:
    """A batch that failed whole is halved, even with no retry allowed."""
    decision = decide(a_batch(5), ALL_FAILED, bisect=True, maximum_retry_attempts=0)
    assert decision == RetryDecision(finished=0, retry=[a_batch(2), a_batch(3, first=3)])


def test_a_single_record_is_retried_up_to_its_limit() -> None:
    """A batch of one record is retried, and discarded after its last retry."""
    again = decide(a_batch(1, failures=1), ALL_FAILED, bisect=True, maximum_retry_attempts=2)
    assert again == RetryDecision(finished=0, retry=[a_batch(1, failures=2)])
    over = decide(a_batch(1, failures=2), ALL_FAILED, bisect=True, maximum_retry_attempts=2)
    assert over == RetryDecision(finished=1, discarded=a_batch(1, failures=3))


def test_without_bisecting_the_rest_is_retried_whole() -> None:
    """The records from the failed one on are retried and discarded together."""
    again = decide(a_batch(4), 1, bisect=False, maximum_retry_attempts=1)
    assert again == RetryDecision(finished=1, retry=[a_batch(3, first=2, failures=1)])
    over = decide(a_batch(3, first=2, failures=1), ALL_FAILED, bisect=False, maximum_retry_attempts=1)
    assert over == RetryDecision(finished=3, discarded=a_batch(3, first=2, failures=2))


def test_unlimited_retries_discard_nothing() -> None:
    """With -1 a batch is retried after any number of failures."""
    failures = 10**6
    decision = decide(a_batch(1, failures=failures), ALL_FAILED, bisect=False, maximum_retry_attempts=UNLIMITED_RETRIES)
    assert decision == RetryDecision(finished=0, retry=[a_batch(1, failures=failures + 1)])


def reporting(poison: frozenset[int]) -> Callable[[ShardBatch], int | None]:
    """A function that reports its first poisonous record."""

    def call(batch: ShardBatch) -> int | None:
        bad = [str(number) for number in numbers(batch) if number in poison]
        return resume_at(batch, failing(*bad[:1]))

    return call


def raising(poison: frozenset[int]) -> Callable[[ShardBatch], int | None]:
    """A function that raises an error at any poisonous record."""
    return lambda batch: ALL_FAILED if poison.intersection(numbers(batch)) else None


@given(
    count=st.integers(1, 40),
    poison=st.frozensets(st.integers(1, 40), max_size=6),
    function=st.sampled_from([reporting, raising]),
    attempts=st.integers(0, 3),
)
def test_bisecting_isolates_each_poisonous_record(
    count: int,
    poison: frozenset[int],
    function: Callable[[frozenset[int]], Callable[[ShardBatch], int | None]],
    attempts: int,
) -> None:
    """All records are finished in order, and each poisonous one is discarded alone."""
    call = function(poison)
    waiting, finished, discarded = [a_batch(count)], [], []
    while waiting:
        batch = waiting.pop(0)
        decision = decide(batch, call(batch), bisect=True, maximum_retry_attempts=attempts)
        waiting = [*decision.retry, *waiting]
        finished += numbers(batch)[: decision.finished]
        discarded += [numbers(decision.discarded)] if decision.discarded else []
    assert finished == list(range(1, count + 1))
    assert discarded == [[number] for number in range(1, count + 1) if number in poison]
