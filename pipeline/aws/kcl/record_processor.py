"""Record processor of one shard: store a batch, then checkpoint it.

kclpy prints an exception that a handler raises, and acknowledges the batch all the same
(github.com/awslabs/amazon-kinesis-client/issues/10). So every error ends the process instead: a daemon whose child ends
stops, and the shard's next worker continues from the last checkpoint. No batch is acknowledged before each of its
records is stored or quarantined.
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

from pipeline.aws.kcl.checkpoint import Checkpointer, CheckpointResult, CheckpointWriter
from pipeline.aws.kcl.health import ShardState
from pipeline.aws.kcl.telemetry import Telemetry
from pipeline.aws.kinesis import record_payload
from pipeline.aws.retry import Backoff, Wait
from pipeline.aws.settings import ConsumerSettings
from pipeline.batch import StreamRecord
from pipeline.errors import STOPS_BATCH, MailfoldError, ServiceUnavailable, describe
from pipeline.projection import BatchProjector, BatchResult
from pipeline.timestamp import from_ms

EXIT_FAILED = 1

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 60.0


class RecordProcessor(RecordProcessorBase):  # type: ignore[misc]  # kclpy has no types
    """Handlers that kclpy calls for one shard. A daemon may pass the same shard to the same process again."""

    def __init__(
        self,
        projector: Callable[[], BatchProjector],
        *,
        settings: ConsumerSettings,
        telemetry: Telemetry,
        wait: Wait,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start without a shard.

        Args:
            projector: Returns the projector for the tables that are live now, or raises one of `STOPS_BATCH`.
            settings: The stream, and the time limits.
            telemetry: Receives the shard's progress.
            wait: Waits before a retry.
            clock: Monotonic seconds.
        """
        self._projector, self._settings, self._telemetry = projector, settings, telemetry
        self._wait, self._clock = wait, clock
        self._checkpoints = CheckpointWriter(
            interval_seconds=settings.checkpoint_seconds, wait=wait, on_refusal=telemetry.report_refusal, clock=clock
        )
        self._position_prefix = ""

    def initialize(self, initialize_input: InitializeInput) -> None:
        """Start a shard at its last checkpoint."""
        with self._exit_on_error():
            self._position_prefix = f"{self._settings.stream} {initialize_input.shard_id}"
            self._checkpoints.start_lease()
            self._telemetry.report_start(initialize_input.shard_id, sequence_number=initialize_input.sequence_number)

    def process_records(self, process_records_input: ProcessRecordsInput) -> None:
        """Store a batch, and write a checkpoint if one is due."""
        with self._exit_on_error():
            records = process_records_input.records
            if records:
                self._store(records)
                self._checkpoints.note_progress()
            if self._checkpoints.write_if_due(process_records_input.checkpointer) is CheckpointResult.WRITTEN:
                self._telemetry.note_checkpoint()
            self._telemetry.report_batch(
                records=len(records),
                millis_behind_latest=process_records_input.millis_behind_latest,
                checkpoint_age_seconds=self._checkpoints.age_seconds,
            )

    def lease_lost(self, lease_lost_input: LeaseLostInput) -> None:  # noqa: ARG002 - kclpy's signature
        """Write no checkpoint: another worker has the shard, and may be further."""
        with self._exit_on_error():
            self._telemetry.report_end(ShardState.LEASE_LOST)

    def shard_ended(self, shard_ended_input: ShardEndedInput) -> None:
        """Checkpoint the end of the shard, so that its children start, or end the process."""
        with self._exit_on_error():
            result = self._write_checkpoint(shard_ended_input.checkpointer)
            if result is CheckpointResult.REFUSED:
                raise ServiceUnavailable("the end of the shard could not be checkpointed")
            self._telemetry.report_end(
                ShardState.SHARD_ENDED if result is CheckpointResult.WRITTEN else ShardState.LEASE_LOST
            )

    def shutdown_requested(self, shutdown_requested_input: ShutdownRequestedInput) -> None:
        """Write a last checkpoint if one is needed, so that the shard's next worker reads nothing twice."""
        with self._exit_on_error():
            if self._checkpoints.is_pending:
                self._write_checkpoint(shutdown_requested_input.checkpointer)
            self._telemetry.report_end(ShardState.SHUTDOWN_REQUESTED)

    def _store(self, records: Sequence[Record]) -> None:
        """Store or quarantine a whole batch. After an outage, continue with the first record that is not done.

        Raises:
            MailfoldError: One of `STOPS_BATCH`, after too long without progress.
        """
        backoff = Backoff(
            self._settings.patience_seconds,
            first_wait_seconds=FIRST_WAIT_SECONDS,
            longest_wait_seconds=LONGEST_WAIT_SECONDS,
            wait=self._wait,
            clock=self._clock,
        )
        batch = [self._stream_record(record) for record in records]
        while batch:
            result = self._project(batch)
            self._telemetry.report_result(result, records=len(batch))
            if result.cause is None:
                return
            batch = batch[result.failed_at :]
            arrived_at_millis = records[-len(batch)].timestamp_millis
            self._telemetry.report_outage(result.cause, pending=len(batch), arrived_at_millis=arrived_at_millis)
            if result.failed_at:
                backoff.renew()
            if not backoff.wait():
                raise result.cause

    def _project(self, batch: Sequence[StreamRecord]) -> BatchResult:
        try:
            return self._projector().project(batch)
        except STOPS_BATCH as cause:
            return BatchResult(cause=cause, failed_at=0)

    def _write_checkpoint(self, checkpointer: Checkpointer) -> CheckpointResult:
        result = self._checkpoints.write(checkpointer)
        if result is CheckpointResult.WRITTEN:
            self._telemetry.note_checkpoint()
        return result

    def _stream_record(self, record: Record) -> StreamRecord:
        """Return a record with its position: stream, shard, sequence number, and the number inside an aggregate."""
        part = f" {record.sub_sequence_number}" if record.sub_sequence_number else ""
        position = f"{self._position_prefix} {record.sequence_number}{part}"
        arrived_at = from_ms(record.timestamp_millis) if record.timestamp_millis else None
        return StreamRecord(payload=record_payload(record.data or ""), position=position, arrived_at=arrived_at)

    @contextmanager
    def _exit_on_error(self) -> Iterator[None]:
        """End the process on any error."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - an entry point: kclpy calls it, and swallows exceptions
            with suppress(Exception):  # the process ends even if the report fails
                self._telemetry.report_failure(str(error) if isinstance(error, MailfoldError) else describe(error))
            raise SystemExit(EXIT_FAILED) from None  # the error's context may quote a payload
