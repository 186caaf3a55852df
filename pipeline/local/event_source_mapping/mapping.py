"""Lambda's event source mapping for a Kinesis stream, which no emulator has right.

Claims: each shard's batches in order, from TRIM_HORIZON on, in Lambda's event; ReportBatchItemFailures,
BisectBatchOnFunctionError, finite MaximumRetryAttempts with back-off, a failure destination; a parent shard's records
before its children's; no record is passed over that is neither done nor in the destination.
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

from pipeline.aws.errors import error_code
from pipeline.errors import Unavailable
from pipeline.local.client import ERRORS
from pipeline.local.event_source_mapping.batch import DiscardedBatch, EventSourceArns, sequence_number
from pipeline.local.event_source_mapping.failure_destination import FailureBucket
from pipeline.local.event_source_mapping.shard import Handler, RetryPolicy, Shard, ShardPoller

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

IDLE_SECONDS = 0.2  # a shard takes five reads a second

_log = logging.getLogger(__name__)


class EventSourceMapping:
    """Feeds a stream's records to a function.

    Safe to use from several threads: one pass runs at a time. The defaults are those of this project's template.

    Args:
        kinesis_client: boto3's, with its time-outs.
        stream: The stream's name.
        handler: The function.
        on_failure: Where batches go whose retries are used up; None: they are dropped, with a warning in the log.
        batch_size: BatchSize: the most records in one event.
        bisect: BisectBatchOnFunctionError.
        maximum_retry_attempts: MaximumRetryAttempts; -1: without end.
        retry_after_seconds: The wait after a failure; it doubles with every further one of the shard, up to 30 s.
        function_name: What the function is called in events and documents.

    Attributes:
        id: The mapping's UUID.
        finished: How many records are done, those given up among them.
        given_up: How many records were given up.
    """

    def __init__(
        self,
        kinesis_client: KinesisClient,
        *,
        stream: str,
        handler: Handler,
        on_failure: FailureBucket | None = None,
        batch_size: int = 100,
        bisect: bool = True,
        maximum_retry_attempts: int = 10_000,
        retry_after_seconds: float = 0.5,
        function_name: str = "mailfold-projector",
    ) -> None:
        self.id = str(uuid4())
        self.finished = 0
        self.given_up = 0
        self._kinesis = kinesis_client
        self._stream = stream
        self._handler = handler
        self._on_failure = on_failure
        self._batch_size = batch_size
        self._policy = RetryPolicy(
            bisect=bisect, maximum_retry_attempts=maximum_retry_attempts, retry_after_seconds=retry_after_seconds
        )
        self._function_name = function_name
        self._lanes: dict[str, ShardPoller] = {}
        self._lock = threading.Lock()

    def poll(self) -> int:
        """Make one pass over all shards, with at most one call of the function for each.

        Returns:
            How many records it finished.

        Raises:
            Unavailable: The stream or the failure destination is away. Nothing is lost; the next pass goes on here.
        """
        with self._lock:
            return self._pass()

    def drain(self, timeout_seconds: float) -> int:
        """Go on until every record that is in the stream is finished.

        Returns:
            How many records were finished meanwhile.

        Raises:
            Unavailable: That took too long.
        """
        end_s = time.monotonic() + timeout_seconds
        before = self.finished
        cause = "there is still something to do"
        while True:
            with self._lock:
                try:
                    rest_seconds = 0.0 if self._pass() else self._rest_seconds()
                except Unavailable as error:
                    cause, rest_seconds = str(error), IDLE_SECONDS
                else:
                    if self._is_idle():
                        return self.finished - before
            if time.monotonic() >= end_s:
                raise Unavailable(f"{self._stream} is not drained after {timeout_seconds} s: {cause}")
            time.sleep(rest_seconds)

    def run(self, stop: threading.Event, *, idle_seconds: float = IDLE_SECONDS) -> None:
        """Go on until told to stop; outages are logged and waited out.

        Args:
            stop: Set it to stop, after the pass under way.
            idle_seconds: The wait after a pass that finished nothing.
        """
        while not stop.is_set():
            try:
                finished = self.poll()
            except Unavailable as error:
                _log.warning("%s", error)
                finished = 0
            if not finished:
                stop.wait(idle_seconds)

    def _pass(self) -> int:
        before = self.finished
        self._find_shards()
        for lane in self._lanes.values():
            if self._may_start(lane):
                self.finished += lane.advance(batch_size=self._batch_size)
        return self.finished - before

    def _find_shards(self) -> None:
        try:
            pages = self._kinesis.get_paginator("list_shards").paginate(StreamName=self._stream)
            found = [shard for page in pages for shard in page["Shards"]]
        except ERRORS as error:
            raise Unavailable(
                f"listing the shards of {self._stream} ended in {error_code(error)}: try again"
            ) from error
        for shard in found:
            if shard["ShardId"] not in self._lanes:
                parents = frozenset(filter(None, (shard.get("ParentShardId"), shard.get("AdjacentParentShardId"))))
                self._lanes[shard["ShardId"]] = self._lane(shard["ShardId"], parents)

    def _lane(self, shard_id: str, parents: frozenset[str]) -> ShardPoller:
        return ShardPoller(
            Shard(self._kinesis, stream=self._stream, shard_id=shard_id, parents=parents),
            source=self._source,
            handler=self._handler,
            policy=self._policy,
            give_up=self._give_up,
        )

    def _may_start(self, lane: ShardPoller) -> bool:
        """A shard that has children is closed: once it is idle, it stays so."""
        return all(self._lanes[parent].is_idle for parent in lane.shard.parents if parent in self._lanes)

    def _is_idle(self) -> bool:
        return all(lane.is_idle for lane in self._lanes.values())

    def _rest_seconds(self) -> float:
        """Return how long to wait after a pass that finished nothing."""
        rests = [lane.rest_seconds for lane in self._lanes.values() if lane.rest_seconds is not None]
        return min([*rests, IDLE_SECONDS])

    def _give_up(self, discarded: DiscardedBatch) -> None:
        records = discarded.batch.records
        if self._on_failure:
            self._on_failure.put(discarded, mapping_id=self.id, source=self._source)
        self.given_up += len(records)
        start, end = sequence_number(records[0]), sequence_number(records[-1])
        _log.warning("%s: records %s to %s are given up", discarded.shard_id, start, end)

    @cached_property
    def _source(self) -> EventSourceArns:
        try:
            summary = self._kinesis.describe_stream_summary(StreamName=self._stream)["StreamDescriptionSummary"]
        except ERRORS as error:
            raise Unavailable(f"describing {self._stream} ended in {error_code(error)}: try again") from error
        return EventSourceArns(stream_arn=summary["StreamARN"], function_name=self._function_name)
