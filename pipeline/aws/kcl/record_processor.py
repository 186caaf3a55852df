"""What becomes of a shard's records: saved, then checkpointed.

kclpy prints what a handler raises, and acknowledges the batch all the same:
github.com/awslabs/amazon-kinesis-client/issues/10
So nothing is raised to it but the end of the process: a daemon whose child ends stops, and whatever has the shard next
goes on from the last checkpoint. A batch is never acknowledged unless all of it is stored or quarantined.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress

from amazon_kclpy.messages import (
    InitializeInput,
    LeaseLostInput,
    ProcessRecordsInput,
    Record,
    ShardEndedInput,
    ShutdownRequestedInput,
)
from amazon_kclpy.v3.processor import RecordProcessorBase

from pipeline.aws.kcl.checkpoint import Checkpointer, CheckpointResult, Checkpoints
from pipeline.aws.kcl.health import State
from pipeline.aws.kcl.telemetry import Telemetry
from pipeline.aws.kinesis import record_payload
from pipeline.aws.retry import Backoff, Wait
from pipeline.aws.settings import ConsumerSettings
from pipeline.batch import StreamRecord
from pipeline.errors import STOPS_BATCH, MailfoldError, ServiceUnavailable, describe
from pipeline.projection import BatchProjector, BatchResult

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0

GIVEN_UP = 1  # exit


class RecordProcessor(RecordProcessorBase):  # type: ignore[misc]  # kclpy has no types
    """Projects one shard, as kclpy calls it. A daemon may hand the same process its shard more than once."""

    def __init__(
        self,
        projector: Callable[[], BatchProjector],
        *,
        settings: ConsumerSettings,
        report: Telemetry,
        wait: Wait,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Have no shard yet.

        Args:
            projector: Gives the projection into the tables of the moment, or raises an `Unavailable`.
            settings: The stream, and how long to wait for what.
            report: Tells how the shard fares.
            wait: Waits before something is tried again.
            clock: Seconds that only go up.
        """
        self._projector, self._settings, self._report = projector, settings, report
        self._wait, self._clock = wait, clock
        self._checkpoints = Checkpoints(
            every_seconds=settings.checkpoint_seconds, wait=wait, refused=report.checkpoint_refused, clock=clock
        )
        self._place = ""

    def initialize(self, initialize_input: InitializeInput) -> None:
        """Have a shard, from where the last checkpoint was."""
        with self._or_end():
            self._place = f"{self._settings.stream} {initialize_input.shard_id}"
            self._checkpoints.begin()
            self._report.initialized(initialize_input.shard_id, at=initialize_input.sequence_number)

    def process_records(self, process_records_input: ProcessRecordsInput) -> None:
        """Store a batch, and write down that it is."""
        with self._or_end():
            records = process_records_input.records
            if records:
                self._store(records)
                self._checkpoints.note_done()
            if self._checkpoints.write_when_due(process_records_input.checkpointer) is CheckpointResult.WRITTEN:
                self._report.checkpointed()
            self._report.finished(
                records=len(records),
                millis_behind_latest=process_records_input.millis_behind_latest,
                checkpoint_age_seconds=self._checkpoints.age_seconds,
            )

    def lease_lost(self, lease_lost_input: LeaseLostInput) -> None:  # noqa: ARG002 - kclpy's signature
        """Write nothing down: another worker has the shard, and may be further."""
        with self._or_end():
            self._report.ended(State.LEASE_LOST)

    def shard_ended(self, shard_ended_input: ShardEndedInput) -> None:
        """Write down that all of the shard is done, so that its children are begun with; or else end the process."""
        with self._or_end():
            result = self._checkpoint(shard_ended_input.checkpointer)
            if result is CheckpointResult.REFUSED:
                raise ServiceUnavailable("the end of the shard could not be checkpointed")
            self._report.ended(State.SHARD_ENDED if result is CheckpointResult.WRITTEN else State.LEASE_LOST)

    def shutdown_requested(self, shutdown_requested_input: ShutdownRequestedInput) -> None:
        """Write down what is done, so that whoever has the shard next has nothing to read again."""
        with self._or_end():
            self._checkpoint(shutdown_requested_input.checkpointer)
            self._report.ended(State.SHUTDOWN_REQUESTED)

    def _store(self, records: Sequence[Record]) -> None:
        """Store or quarantine all of a batch, going on after an outage with the first record that is not done.

        Raises:
            Unavailable: There was no progress for too long.
        """
        patience = Backoff(
            self._settings.patience_seconds,
            first_wait_seconds=FIRST_WAIT_SECONDS,
            longest_wait_seconds=LONGEST_WAIT_SECONDS,
            wait=self._wait,
            clock=self._clock,
        )
        batch = [self._stream_record(record) for record in records]
        while batch:
            done = self._project(batch)
            self._report.projected(done, records=len(batch))
            if done.cause is None:
                return
            batch = batch[done.failed_at :]
            arrived_millis = records[-len(batch)].timestamp_millis
            self._report.waits(done.cause, undone=len(batch), arrived_millis=arrived_millis)
            if done.failed_at:
                patience.renew()
            if not patience.wait():
                raise done.cause

    def _project(self, batch: Sequence[StreamRecord]) -> BatchResult:
        try:
            return self._projector().project(batch)
        except STOPS_BATCH as cause:
            return BatchResult(cause=cause, failed_at=0)

    def _checkpoint(self, checkpointer: Checkpointer) -> CheckpointResult:
        result = self._checkpoints.write(checkpointer)
        if result is CheckpointResult.WRITTEN:
            self._report.checkpointed()
        return result

    def _stream_record(self, record: Record) -> StreamRecord:
        """Name a record by its place, as the Lambda does; of an aggregate, by its number in there too."""
        part = f" {record.sub_sequence_number}" if record.sub_sequence_number else ""
        position = f"{self._place} {record.sequence_number}{part}"
        return StreamRecord(payload=record_payload(record.data or ""), position=position)

    @contextmanager
    def _or_end(self) -> Iterator[None]:
        """End the process with whatever goes wrong."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - the entry point is the daemon's, in kclpy
            with suppress(Exception):  # whatever becomes of the report, the process ends
                self._report.failed(str(error) if isinstance(error, MailfoldError) else describe(error))
            raise SystemExit(GIVEN_UP) from None  # what it came from may quote a payload
