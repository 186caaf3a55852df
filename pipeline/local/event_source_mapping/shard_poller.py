"""The poller of one shard: it invokes the function with one batch at a time, in order, until each is finished.

Claims: one batch of a shard at a time; retries with back-off; a batch is discarded only once it is kept elsewhere.
Leaves out: ParallelizationFactor.

docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html (retries)
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.batching import batches
from pipeline.aws.retry import waits_seconds
from pipeline.errors import describe
from pipeline.local.event_source_mapping.batch import (
    DiscardedBatch,
    EventSourceArns,
    KinesisRecord,
    ShardBatch,
    decide,
    lambda_record,
    resume_at,
)

if TYPE_CHECKING:
    from pipeline.local.event_source_mapping.shard import Shard

LambdaFunction = Callable[[dict[str, Any]], Mapping[str, Any] | None]
"""The function: it takes Lambda's event and returns its answer."""

MAX_EVENT_BYTES = 6 * 1024 * 1024  # of a synchronous invocation (lambda/latest/dg/gettingstarted-limits.html)
RECORD_OVERHEAD_BYTES = 1024  # at most, for a record's own keys, ids and ARNs in the event
MAX_RETRY_AFTER_SECONDS = 30.0

_log = logging.getLogger(__name__)


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """How a mapping handles failures.

    Attributes:
        bisect: BisectBatchOnFunctionError.
        maximum_retry_attempts: MaximumRetryAttempts; -1: without end.
        retry_after_seconds: Longest wait after a failure; it doubles with each further one in a row, up to 30 s.
    """

    bisect: bool
    maximum_retry_attempts: int
    retry_after_seconds: float

    def waits_seconds(self) -> Iterator[float]:
        """Yield the waits after failures in a row."""
        return waits_seconds(self.retry_after_seconds, longest_seconds=MAX_RETRY_AFTER_SECONDS)


class ShardPoller:
    """A shard with the records that were read from it and are not finished.

    Args:
        shard: The shard.
        source: Stream and function, for the event.
        handler: The function.
        policy: Handling of failures.
        give_up: Keeps a discarded batch. If it raises an error, the batch is tried again.
    """

    def __init__(
        self,
        shard: Shard,
        *,
        source: EventSourceArns,
        handler: LambdaFunction,
        policy: RetryPolicy,
        give_up: Callable[[DiscardedBatch], None],
    ) -> None:
        self.shard = shard
        self._source, self._handler = source, handler
        self._policy, self._give_up = policy, give_up
        self._pending: deque[ShardBatch] = deque()
        self._waits_seconds = policy.waits_seconds()
        self._not_before_s = 0.0  # by time.monotonic

    @property
    def is_idle(self) -> bool:
        """True if everything that was in the shard at the last read is finished."""
        return self.shard.at_tip and not self._pending

    @property
    def wait_seconds(self) -> float | None:
        """Time until the next attempt is allowed; None if no batch is pending."""
        return max(0.0, self._not_before_s - time.monotonic()) if self._pending else None

    def advance(self, *, batch_size: int) -> int:
        """Invoke the function once, if a batch is pending or can be read. Return the number of records finished.

        Raises:
            MailfoldError: The stream, or what keeps discarded batches, fails. Nothing is lost.
        """
        if not self._pending:
            self._pending.extend(self._read(batch_size))
        return self._attempt() if self.wait_seconds == 0 else 0

    def _read(self, batch_size: int) -> list[ShardBatch]:
        records = [
            lambda_record(record, shard_id=self.shard.id, source=self._source)
            for record in self.shard.read(limit=batch_size)
        ]
        return [
            ShardBatch(records=part) for part in batches(records, size_bytes=_size_bytes, max_bytes=MAX_EVENT_BYTES)
        ]

    def _attempt(self) -> int:
        """Invoke the function with the first batch, and put the rest of it back in its place."""
        batch = self._pending[0]
        first_failed, raised = self._invoke(batch)
        decision = decide(
            batch, first_failed, bisect=self._policy.bisect, maximum_retry_attempts=self._policy.maximum_retry_attempts
        )
        if decision.discarded:
            self._give_up(DiscardedBatch(shard_id=self.shard.id, batch=decision.discarded, raised=raised))
        self._pending.popleft()
        self._pending.extendleft(reversed(decision.retry))
        if decision.retry:
            self._not_before_s = time.monotonic() + next(self._waits_seconds)
        else:
            self._waits_seconds, self._not_before_s = self._policy.waits_seconds(), 0.0
        return decision.finished

    def _invoke(self, batch: ShardBatch) -> tuple[int | None, bool]:
        """Return the index of the first record that failed, and True if the function raised an error."""
        try:
            answer = self._handler({"Records": list(batch.records)})
        except Exception as error:  # noqa: BLE001 - to Lambda, any error of the function is a failed batch
            _log.warning("the function failed a batch of %d: %s", len(batch.records), describe(error))
            return 0, True
        return resume_at(batch, answer), False


def _size_bytes(record: KinesisRecord) -> int:
    return len(record["kinesis"]["data"]) + RECORD_OVERHEAD_BYTES
