"""What a record processor tells on standard error, a line of JSON each: its log, its counts, and how its shard fares.

Counts are lines in the embedded metric format: CloudWatch Logs turns them into metrics wherever it gets them from. The
shard is a property of such a line, not a dimension: each dimension is a metric of its own, and paid for as one. Nothing
here holds a payload or an address.
docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from aws_lambda_powertools import Logger
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from pipeline.aws.kcl.health import ShardHealth, State, encode_health
from pipeline.aws.metrics import NAMESPACE, count, count_projected
from pipeline.errors import MailfoldError
from pipeline.projection import BatchResult

HEALTH_SECONDS = 1.0  # while there is more to read, no oftener
QUIET_METRIC_SECONDS = 60.0  # CloudWatch keeps one value a minute; a quiet shard needs no more


class Telemetry:
    """Tells how one shard fares. Times are this process's own."""

    def __init__(
        self,
        *,
        service: str,
        logger: Logger,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Tell nothing yet.

        Args:
            service: The dimension of the counts.
            logger: Writes the log.
            now: The time of day, UTC.
            clock: Seconds that only go up.
        """
        self._metrics = EphemeralMetrics(namespace=NAMESPACE, service=service)
        self._logger, self._now, self._clock = logger, now, clock
        self._health = ShardHealth(shard="", state=State.INITIALIZED, said_at=now())
        self._said_at_s = self._counted_at_s = clock()

    @property
    def health(self) -> ShardHealth:
        """How the shard fares."""
        return self._health

    def initialized(self, shard: str, *, at: str) -> None:
        """Tell which shard it is, and from where on it is read."""
        self._logger.append_keys(shard=shard)
        self._change(shard=shard, state=State.INITIALIZED)
        self._logger.info("the shard is here", sequence_number=at)
        self._say()

    def projected(self, done: BatchResult, *, records: int) -> None:
        """Count what became of a batch, or of what an outage had left of one.

        Args:
            done: What became of it.
            records: How many it held.
        """
        if done.internal_errors:
            self._logger.error("records are in quarantine for internal errors", errors=dict(done.internal_errors))
        self._change(
            records=self._health.records + (records if done.failed_at is None else done.failed_at),
            poison=self._health.poison + done.counts.quarantined + done.internal_errors.total(),
            errors=self._health.errors + done.internal_errors.total() + int(done.cause is not None),
        )
        count_projected(self._metrics, done)

    def waits(self, outage: MailfoldError, *, undone: int, arrived_millis: int) -> None:
        """Tell that a batch is held up, and how far behind that leaves the shard: Kinesis says so for what was fetched.

        Args:
            outage: What holds it up.
            undone: How many of its records are not done.
            arrived_millis: When the first of those came into the stream, since 1970.
        """
        self._logger.warning("a batch is unfinished and tried again", outage=str(outage), undone=undone)
        behind_millis = max(0, int(self._now().timestamp() * 1_000) - arrived_millis)
        self._change(millis_behind_latest=behind_millis)
        self._count_ms("MillisBehindLatest", behind_millis)
        self._publish()
        self._become(State.WAITING)

    def finished(self, *, records: int, millis_behind_latest: int | None, checkpoint_age_seconds: float) -> None:
        """Tell that a batch is done.

        Args:
            records: How many it held.
            millis_behind_latest: How far the shard is behind, as Kinesis says it.
            checkpoint_age_seconds: For how long something that is done has waited for its checkpoint.
        """
        if self._health.state is State.WAITING:
            self._logger.info("the outage is over")
        since_s = self._clock() - self._said_at_s
        self._change(millis_behind_latest=millis_behind_latest)
        if records or self._clock() - self._counted_at_s >= QUIET_METRIC_SECONDS:
            self._count_ms("MillisBehindLatest", millis_behind_latest or 0)
            self._count_ms("CheckpointAgeMilliseconds", checkpoint_age_seconds * 1_000)
            self._publish()
        is_latest = records and not millis_behind_latest  # then no other may come for long
        if self._health.state is not State.PROCESSING or is_latest or since_s >= HEALTH_SECONDS:
            self._become(State.PROCESSING)

    def checkpointed(self) -> None:
        """Note that what is done is written down."""
        self._change(checkpointed_at=self._now())

    def checkpoint_refused(self, why: str) -> None:
        """Tell that a checkpoint failed, by the daemon's name for it."""
        self._change(errors=self._health.errors + 1)
        count(self._metrics, {"CheckpointsRefused": 1})
        self._logger.warning("a checkpoint was refused", why=why)

    def ended(self, state: State) -> None:
        """Tell that nothing more comes of this shard, for a good reason."""
        self._logger.info("the shard is done with here", state=state)
        self._become(state)

    def failed(self, why: str) -> None:
        """Tell that the process ends because it cannot go on."""
        self._change(errors=self._health.errors + 1)
        count(self._metrics, {"GivenUp": 1})
        self._logger.error("the process ends without acknowledging, so that nothing is passed", why=why)
        self._publish()
        self._become(State.FAILED)

    def _become(self, state: State) -> None:
        self._change(state=state)
        self._say()

    def _change(self, **fields: Any) -> None:
        self._health = msgspec.structs.replace(self._health, **fields)

    def _say(self) -> None:
        self._said_at_s = self._clock()
        self._change(said_at=self._now())
        sys.stderr.write(encode_health(self._health).decode() + "\n")

    def _publish(self) -> None:
        """Write the counts as a line; powertools prints it, and what is printed goes to standard error here."""
        self._counted_at_s = self._clock()
        self._metrics.add_metadata("shard", self._health.shard)
        self._metrics.flush_metrics()

    def _count_ms(self, name: str, value_ms: float) -> None:
        self._metrics.add_metric(name, MetricUnit.Milliseconds, value_ms)
