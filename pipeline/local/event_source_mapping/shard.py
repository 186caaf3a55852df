"""One shard's way through a function: its batches, one at a time, in order, until each is done or given up.

docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html (retries)

Reading one shard of a Kinesis stream, from its oldest record on.

Claims: every record once, in order, while the process lives; an expired iterator is renewed behind the last record
read; the end of a closed shard is noticed. Leaves out: enhanced fan-out, and positions that outlive the process.

docs.aws.amazon.com/streams/latest/dev/developing-consumers-with-sdk.html
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.batching import batches
from pipeline.aws.errors import error_code
from pipeline.errors import Unavailable, describe
from pipeline.local.client import ERRORS
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
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_kinesis.type_defs import RecordTypeDef


class Shard:
    """One shard, and how far it has been read.

    Attributes:
        id: Its id in the stream.
        parents: The ids of the shards that it was split or merged from.
        at_tip: Whether the last read found that nothing more is there for now.
        ended: Whether it is closed and read to its end: nothing will ever come.
    """

    def __init__(self, kinesis_client: KinesisClient, *, stream: str, shard_id: str, parents: frozenset[str]) -> None:
        self.id = shard_id
        self.parents = parents
        self.at_tip = False
        self.ended = False
        self._kinesis = kinesis_client
        self._stream = stream
        self._iterator: str | None = None
        self._last_read: str | None = None

    def read(self, *, limit: int) -> list[RecordTypeDef]:
        """Return the next records, at most `limit`, at most 10 MB; none does not mean that no more will come.

        Raises:
            Unavailable: The stream is throttled or unreachable. The same records come next time.
        """
        if self.ended:
            return []
        try:
            return self._read(limit)
        except ERRORS as error:
            code = error_code(error)
            # An iterator lives for five minutes. The next read asks for another.
            self._iterator, self.at_tip = None, False
            if code == "ExpiredIteratorException":
                return []
            raise Unavailable(f"reading {self.id} of {self._stream} ended in {code}: try again") from error

    def _read(self, limit: int) -> list[RecordTypeDef]:
        answer = self._kinesis.get_records(ShardIterator=self._iterator or self._fresh_iterator(), Limit=limit)
        records = answer["Records"]
        self._iterator = answer.get("NextShardIterator")
        self.ended = self._iterator is None
        self.at_tip = self.ended or (not records and not answer.get("MillisBehindLatest"))
        if records:
            self._last_read = records[-1]["SequenceNumber"]
        return records

    def _fresh_iterator(self) -> str:
        if self._last_read is None:
            answer = self._kinesis.get_shard_iterator(
                StreamName=self._stream, ShardId=self.id, ShardIteratorType="TRIM_HORIZON"
            )
        else:
            answer = self._kinesis.get_shard_iterator(
                StreamName=self._stream,
                ShardId=self.id,
                ShardIteratorType="AFTER_SEQUENCE_NUMBER",
                StartingSequenceNumber=self._last_read,
            )
        return answer["ShardIterator"]


Handler = Callable[[dict[str, Any]], Mapping[str, Any] | None]
"""The function: takes Lambda's event, returns its answer."""

MAX_EVENT_BYTES = 6 * 1024 * 1024  # of a synchronous invocation (lambda/latest/dg/gettingstarted-limits.html)
RECORD_OVERHEAD_BYTES = 1024  # a record's own keys, ids and ARNs in the event, amply
MAX_RETRY_AFTER_SECONDS = 30.0

_log = logging.getLogger(__name__)


class RetryPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """What a mapping does about failures.

    Attributes:
        bisect: BisectBatchOnFunctionError.
        maximum_retry_attempts: MaximumRetryAttempts; -1: without end.
        retry_after_seconds: The wait after a failure; it doubles with every further one in a row, up to 30 s.
    """

    bisect: bool
    maximum_retry_attempts: int
    retry_after_seconds: float

    def wait_seconds(self, failures_in_a_row: int) -> float:
        """Return how long to wait before the next attempt."""
        wait = self.retry_after_seconds
        for _ in range(failures_in_a_row - 1):
            wait = min(2 * wait, MAX_RETRY_AFTER_SECONDS)
        return wait if failures_in_a_row else 0.0


class ShardPoller:
    """A shard, and what was read of it but is not done.

    Args:
        shard: The shard.
        source: The stream and the function, for the event.
        handler: The function.
        policy: What to do when it fails.
        give_up: Keeps what is discarded; if it raises, the batch is tried again instead.
    """

    def __init__(
        self,
        shard: Shard,
        *,
        source: EventSourceArns,
        handler: Handler,
        policy: RetryPolicy,
        give_up: Callable[[DiscardedBatch], None],
    ) -> None:
        self.shard = shard
        self._source = source
        self._handler = handler
        self._policy = policy
        self._give_up = give_up
        self._waiting: deque[ShardBatch] = deque()
        self._failures_in_a_row = 0
        self._not_before_s = 0.0  # by time.monotonic

    @property
    def is_idle(self) -> bool:
        """Whether all that was in the shard when it was last read is done."""
        return self.shard.at_tip and not self._waiting

    @property
    def rest_seconds(self) -> float | None:
        """How long it is until what waits may be tried; None if nothing waits."""
        return max(0.0, self._not_before_s - time.monotonic()) if self._waiting else None

    def advance(self, *, batch_size: int) -> int:
        """Call the function once, if there is anything to call it with; return how many records that finished.

        Raises:
            Unavailable: The stream or what keeps discarded batches is away. Nothing is lost.
        """
        if not self._waiting:
            self._waiting.extend(self._read(batch_size))
        return self._attempt() if self.rest_seconds == 0 else 0

    def _read(self, batch_size: int) -> list[ShardBatch]:
        records = [
            lambda_record(record, shard_id=self.shard.id, source=self._source)
            for record in self.shard.read(limit=batch_size)
        ]
        return [
            ShardBatch(records=part) for part in batches(records, size_bytes=_size_bytes, max_bytes=MAX_EVENT_BYTES)
        ]

    def _attempt(self) -> int:
        """Call the function with the first batch, and put what is left of it back in its place."""
        batch = self._waiting[0]
        first, raised = self._call(batch)
        decision = decide(
            batch, first, bisect=self._policy.bisect, maximum_retry_attempts=self._policy.maximum_retry_attempts
        )
        if decision.discarded:
            self._give_up(DiscardedBatch(shard_id=self.shard.id, batch=decision.discarded, raised=raised))
        self._waiting.popleft()
        self._waiting.extendleft(reversed(decision.retry))
        self._failures_in_a_row = self._failures_in_a_row + 1 if decision.retry else 0
        self._not_before_s = time.monotonic() + self._policy.wait_seconds(self._failures_in_a_row)
        return decision.done

    def _call(self, batch: ShardBatch) -> tuple[int | None, bool]:
        """Return the index of the first record that failed, and whether the function raised an error."""
        try:
            answer = self._handler({"Records": list(batch.records)})
        except Exception as error:  # noqa: BLE001 - Lambda takes whatever a function raises for a failed batch
            _log.warning("the function failed a batch of %d: %s", len(batch.records), describe(error))
            return 0, True
        return resume_at(batch, answer), False


def _size_bytes(record: KinesisRecord) -> int:
    return len(record["kinesis"]["data"]) + RECORD_OVERHEAD_BYTES
