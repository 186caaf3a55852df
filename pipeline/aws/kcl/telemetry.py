"""Log, metrics and health of a record processor, written to standard error as lines of JSON.

Metrics are lines in the embedded metric format, which CloudWatch Logs extracts. The shard is a property of such a line
and not a dimension, because CloudWatch bills each value of a dimension as a metric. No line contains an address or a
payload.
docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import os
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from pipeline.aws.kcl.health import ShardHealth, ShardState, encode_health
from pipeline.aws.metrics import count, count_projected
from pipeline.aws.settings import NAMESPACE
from pipeline.errors import MailfoldError
from pipeline.projection import BatchResult

HEALTH_INTERVAL_SECONDS = 1.0  # the least time between two reports while a backlog is read
QUIET_METRICS_SECONDS = 60.0  # CloudWatch keeps one value a minute; a quiet shard needs no more


class Telemetry:
    """Reports the progress of one shard."""

    def __init__(
        self,
        *,
        service: str,
        logger: Logger,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with zero counts.

        Args:
            service: Dimension of the metrics.
            logger: Writes the log.
            now: Returns the time of day, UTC.
            clock: Monotonic seconds.
        """
        self._metrics = EphemeralMetrics(namespace=NAMESPACE, service=service)
        self._logger, self._now, self._clock = logger, now, clock
        self._health = ShardHealth(shard="", state=ShardState.INITIALIZED, reported_at=now(), process=os.getpid())
        self._reported_at_seconds = self._flushed_at_seconds = clock()

    @property
    def health(self) -> ShardHealth:
        """Health of the shard."""
        return self._health

    def report_start(self, shard: str, *, sequence_number: str) -> None:
        """Report that the shard was assigned, and where reading starts."""
        self._logger.append_keys(shard=shard)
        self._update(shard=shard)
        self._logger.info("shard assigned", sequence_number=sequence_number)
        self._report_health(ShardState.INITIALIZED)

    def report_result(self, result: BatchResult, *, records: int) -> None:
        """Count the result of a batch, or of the rest of one that an outage stopped.

        Args:
            result: The result.
            records: Number of records in the batch.
        """
        internal_errors = result.internal_errors.total()
        if internal_errors:
            self._logger.error("records quarantined for internal errors", errors=dict(result.internal_errors))
        self._update(
            records=self._health.records + (records if result.failed_at is None else result.failed_at),
            poison=self._health.poison + result.counts.quarantined + internal_errors,
            errors=self._health.errors + internal_errors + int(result.cause is not None),
        )
        count_projected(self._metrics, result)

    def report_outage(self, outage: MailfoldError, *, pending: int, arrived_at_millis: int) -> None:
        """Report that an outage stops a batch, and the lag that results. Kinesis reports lag for fetched records only.

        Args:
            outage: The outage.
            pending: Number of records that are not done.
            arrived_at_millis: Arrival of the first of them in the stream, in milliseconds since 1970.
        """
        self._logger.warning("batch stopped by an outage; it is retried", outage=str(outage), pending=pending)
        behind_millis = max(0, int(self._now().timestamp() * 1_000) - arrived_at_millis)
        self._update(millis_behind_latest=behind_millis)
        self._add_millis("MillisBehindLatest", behind_millis)
        self._flush_metrics()
        self._report_health(ShardState.WAITING)

    def report_batch(self, *, records: int, millis_behind_latest: int | None, checkpoint_age_seconds: float) -> None:
        """Report that a batch is done.

        Args:
            records: Number of records in the batch.
            millis_behind_latest: Lag of the shard, as Kinesis reports it.
            checkpoint_age_seconds: Time for which finished records have waited for a checkpoint.
        """
        if self._health.state is ShardState.WAITING:
            self._logger.info("outage ended")
        since_report_seconds = self._clock() - self._reported_at_seconds
        self._update(millis_behind_latest=millis_behind_latest)
        if records or self._clock() - self._flushed_at_seconds >= QUIET_METRICS_SECONDS:
            self._add_millis("MillisBehindLatest", millis_behind_latest or 0)
            self._add_millis("CheckpointAgeMilliseconds", checkpoint_age_seconds * 1_000)
            self._flush_metrics()
        is_latest = records and not millis_behind_latest  # the next batch may be long in coming
        is_due = since_report_seconds >= HEALTH_INTERVAL_SECONDS
        if self._health.state is not ShardState.PROCESSING or is_latest or is_due:
            self._report_health(ShardState.PROCESSING)

    def note_checkpoint(self) -> None:
        """Note the time of a checkpoint, for the next report."""
        self._update(checkpointed_at=self._now())

    def report_refusal(self, error_name: str) -> None:
        """Report that the daemon refuses a checkpoint, with its name of the error."""
        self._update(errors=self._health.errors + 1)
        count(self._metrics, {"CheckpointsRefused": 1})
        self._logger.warning("checkpoint refused", error=error_name)

    def report_end(self, state: ShardState) -> None:
        """Report that the shard is done, or that another worker has it."""
        self._logger.info("shard released", state=state)
        self._report_health(state)

    def report_failure(self, reason: str) -> None:
        """Report that the process ends because it cannot continue."""
        self._update(errors=self._health.errors + 1)
        count(self._metrics, {"GivenUp": 1})
        self._logger.error("record processor failed; nothing is acknowledged, so nothing is lost", reason=reason)
        self._flush_metrics()
        self._report_health(ShardState.FAILED)

    def _report_health(self, state: ShardState) -> None:
        self._reported_at_seconds = self._clock()
        self._update(state=state, reported_at=self._now())
        sys.stderr.write(encode_health(self._health).decode() + "\n")

    def _update(self, **fields: Any) -> None:
        self._health = msgspec.structs.replace(self._health, **fields)

    def _flush_metrics(self) -> None:
        """Write the metrics as one line. powertools prints it, and `stdio` sends what is printed to standard error."""
        self._flushed_at_seconds = self._clock()
        self._metrics.add_metadata("shard", self._health.shard)
        self._metrics.flush_metrics()

    def _add_millis(self, name: str, value_millis: float) -> None:
        self._metrics.add_metric(name, MetricUnit.Milliseconds, value_millis)
