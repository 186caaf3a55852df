"""Lambda's event source mapping for a Kinesis stream, which no emulator has right.

Claims: each shard's batches in order, from TRIM_HORIZON on, in Lambda's event; ReportBatchItemFailures,
BisectBatchOnFunctionError, finite MaximumRetryAttempts with back-off, a failure destination; a parent shard's records
before its children's; no record is skipped that is neither finished nor in the destination.
Leaves out: batching and tumbling windows, filters, ParallelizationFactor (it is 1), MaximumRecordAgeInSeconds, and
checkpoints that outlive the process: a new mapping starts from the beginning, as a new one of AWS's does.

docs.aws.amazon.com/lambda/latest/dg/services-kinesis-create.html
"""

from __future__ import annotations

import logging
import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING
from uuid import uuid4

from pipeline.aws.errors import translated
from pipeline.errors import MailfoldError, Unavailable
from pipeline.local.event_source_mapping.batch import (
    UNLIMITED_RETRIES,
    DiscardedBatch,
    EventSourceArns,
    sequence_number,
)
from pipeline.local.event_source_mapping.failure_destination import FailureBucket
from pipeline.local.event_source_mapping.shard import Shard
from pipeline.local.event_source_mapping.shard_poller import LambdaFunction, RetryPolicy, ShardPoller

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

IDLE_SECONDS = 0.2  # a shard takes five reads a second

_log = logging.getLogger(__name__)


class EventSourceMapping:
    """Invokes a function with a stream's records.

    Safe to use from several threads: one pass runs at a time. The defaults are those of this project's template.

    Args:
        kinesis_client: boto3's, with its time-outs.
        stream: Name of the stream.
        handler: The function.
        on_failure: Destination of discarded batches; None: they are dropped, with a warning in the log.
        batch_size: BatchSize: the most records in one event.
        bisect: BisectBatchOnFunctionError.
        maximum_retry_attempts: MaximumRetryAttempts; -1: without end.
        retry_after_seconds: Longest wait after a failure; it doubles with each further one of the shard, up to 30 s.
        function_name: Name of the function in events and documents.

    Attributes:
        id: UUID of the mapping.
        finished: Number of records finished, those given up included.
        given_up: Number of records in discarded batches.
    """

    def __init__(
        self,
        kinesis_client: KinesisClient,
        *,
        stream: str,
        handler: LambdaFunction,
        on_failure: FailureBucket | None = None,
        batch_size: int = 1_000,
        bisect: bool = True,
        maximum_retry_attempts: int = UNLIMITED_RETRIES,
        retry_after_seconds: float = 0.5,
        function_name: str = "mailfold-projector",
    ) -> None:
        self.id = str(uuid4())
        self.finished = self.given_up = 0
        self._kinesis, self._stream = kinesis_client, stream
        self._handler, self._function_name = handler, function_name
        self._on_failure, self._batch_size = on_failure, batch_size
        self._policy = RetryPolicy(
            bisect=bisect, maximum_retry_attempts=maximum_retry_attempts, retry_after_seconds=retry_after_seconds
        )
        self._pollers: dict[str, ShardPoller] = {}
        self._lock = threading.Lock()

    def poll(self) -> int:
        """Make one pass over all shards, with at most one invocation for each. Return the number of records finished.

        Raises:
            MailfoldError: The stream or the failure destination fails. Nothing is lost: the next pass continues here.
        """
        with self._lock:
            return self._pass()

    def drain(self, timeout_seconds: float) -> int:
        """Process the stream until all its records are finished. Return the number of records finished meanwhile.

        Raises:
            Unavailable: Some records are not finished in time.
        """
        end_s = time.monotonic() + timeout_seconds
        finished_before = self.finished
        cause = "some records are not finished"
        while True:
            with self._lock:
                try:
                    wait_seconds = 0.0 if self._pass() else self._wait_seconds()
                except MailfoldError as error:
                    cause, wait_seconds = str(error), IDLE_SECONDS
                else:
                    if self._is_idle():
                        return self.finished - finished_before
            if time.monotonic() >= end_s:
                raise Unavailable(f"{self._stream} is not drained after {timeout_seconds:g} s: {cause}")
            time.sleep(wait_seconds)

    def run(self, stop: threading.Event, *, idle_seconds: float = IDLE_SECONDS) -> None:
        """Process the stream until stopped. Log errors of AWS, and try again.

        Args:
            stop: Set it to stop after the current pass.
            idle_seconds: Wait after a pass that finished nothing.
        """
        while not stop.is_set():
            try:
                finished = self.poll()
            except MailfoldError as error:
                _log.warning("%s", error)
                finished = 0
            if not finished:
                stop.wait(idle_seconds)

    def _pass(self) -> int:
        finished_before = self.finished
        self._add_new_shards()
        for poller in self._pollers.values():
            if self._may_start(poller):
                self.finished += poller.advance(batch_size=self._batch_size)
        return self.finished - finished_before

    def _add_new_shards(self) -> None:
        with translated(f"listing the shards of {self._stream}"):
            pages = self._kinesis.get_paginator("list_shards").paginate(StreamName=self._stream)
            shards = [shard for page in pages for shard in page["Shards"]]
        for shard in shards:
            if shard["ShardId"] not in self._pollers:
                parents = frozenset(filter(None, (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))))
                self._pollers[shard["ShardId"]] = self._create_poller(shard["ShardId"], parents)

    def _create_poller(self, shard_id: str, parents: frozenset[str]) -> ShardPoller:
        return ShardPoller(
            Shard(self._kinesis, stream=self._stream, shard_id=shard_id, parents=parents),
            source=self._source,
            handler=self._handler,
            policy=self._policy,
            give_up=self._give_up,
        )

    def _may_start(self, poller: ShardPoller) -> bool:
        """Return True if all parents are finished. A shard that has children is closed, so it stays idle."""
        return all(self._pollers[parent].is_idle for parent in poller.shard.parents if parent in self._pollers)

    def _is_idle(self) -> bool:
        return all(poller.is_idle for poller in self._pollers.values())

    def _wait_seconds(self) -> float:
        """Return the wait after a pass that finished nothing."""
        waits = [poller.wait_seconds for poller in self._pollers.values() if poller.wait_seconds is not None]
        return min([*waits, IDLE_SECONDS])

    def _give_up(self, discarded: DiscardedBatch) -> None:
        records = discarded.batch.records
        if self._on_failure:
            self._on_failure.put(discarded, mapping_id=self.id, source=self._source)
        self.given_up += len(records)
        start, end = sequence_number(records[0]), sequence_number(records[-1])
        _log.warning("%s: records %s to %s are given up", discarded.shard_id, start, end)

    @cached_property
    def _source(self) -> EventSourceArns:
        with translated(f"describing the stream {self._stream}"):
            summary = self._kinesis.describe_stream_summary(StreamName=self._stream)["StreamDescriptionSummary"]
        return EventSourceArns(stream_arn=summary["StreamARN"], function_name=self._function_name)
