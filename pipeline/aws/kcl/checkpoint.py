"""Checkpoints of a shard: when they are written, and what a refused one means.

Records that are stored but not checkpointed are read again by the shard's next worker, and change nothing. So a
checkpoint may be late or may fail. But it must not be early, and must not be missing at the end of a shard.
github.com/awslabs/amazon-kinesis-client/tree/master/amazon-kinesis-client/src/main/java/software/amazon/kinesis/exceptions
"""

import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Protocol

from amazon_kclpy.checkpoint_error import CheckpointError

from pipeline.aws.retry import Backoff, Wait
from pipeline.errors import ServiceUnavailable

RETRY_SECONDS = 8.0  # a worker that stops waits for the last checkpoint no longer than its grace, 20 s by default
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 4.0


class Checkpointer(Protocol):
    """The object that kclpy passes to a record processor."""

    def checkpoint(self, sequence_number: str | None = None, sub_sequence_number: int | None = None) -> Any:
        """Write a checkpoint at a record, or with None after all records delivered so far.

        Raises:
            CheckpointError: The daemon refuses. `value` is the simple name of a Java exception.
        """
        ...


class CheckpointResult(Enum):
    """Result of writing a checkpoint."""

    WRITTEN = auto()
    LEASE_LOST = auto()
    """Another worker has the shard, and checkpoints it."""
    REFUSED = auto()
    """It is not written. A later one may be."""


class CheckpointWriter:
    """Writes the checkpoints of a shard."""

    def __init__(
        self,
        *,
        interval_seconds: float,
        wait: Wait,
        on_refusal: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start with nothing to write.

        Args:
            interval_seconds: The least time between two checkpoints.
            wait: Waits before a retry.
            on_refusal: Receives the daemon's name of each refusal.
            clock: Monotonic seconds.
        """
        self._interval_seconds, self._wait, self._on_refusal, self._clock = interval_seconds, wait, on_refusal, clock
        self.start_lease()

    @property
    def is_pending(self) -> bool:
        """True if finished records wait for a checkpoint."""
        return self._pending_since_seconds is not None

    @property
    def age_seconds(self) -> float:
        """Time for which finished records have waited for a checkpoint; 0 if none wait."""
        return 0.0 if self._pending_since_seconds is None else self._clock() - self._pending_since_seconds

    def start_lease(self) -> None:
        """Start a new lease. Its first checkpoint is due at once."""
        self._has_lease = True
        self._attempted_at_seconds: float | None = None
        self._pending_since_seconds: float | None = None

    def note_progress(self) -> None:
        """Note that records are done, so that a checkpoint is needed."""
        if self._pending_since_seconds is None:
            self._pending_since_seconds = self._clock()

    def write_if_due(self, checkpointer: Checkpointer) -> CheckpointResult | None:
        """Write a checkpoint. Return None instead if none is needed or the last attempt was too recent.

        Raises:
            ServiceUnavailable: See `write`.
        """
        attempted_at = self._attempted_at_seconds
        too_soon = attempted_at is not None and self._clock() - attempted_at < self._interval_seconds
        return None if self._pending_since_seconds is None or too_soon else self.write(checkpointer)

    def write(self, checkpointer: Checkpointer) -> CheckpointResult:
        """Write a checkpoint now. Retry for `RETRY_SECONDS` while the lease table throttles.

        Raises:
            ServiceUnavailable: The lease table is gone, or the messages in both directions are out of step. Any
                further answer could acknowledge records that are not done.
        """
        backoff = Backoff(
            RETRY_SECONDS,
            first_wait_seconds=FIRST_WAIT_SECONDS,
            longest_wait_seconds=LONGEST_WAIT_SECONDS,
            wait=self._wait,
            clock=self._clock,
        )
        result = self._attempt(checkpointer)
        while result is None:
            result = self._attempt(checkpointer) if backoff.wait() else CheckpointResult.REFUSED
        self._attempted_at_seconds = self._clock()
        return result

    def _attempt(self, checkpointer: Checkpointer) -> CheckpointResult | None:
        """Attempt one checkpoint. Return None if a retry may succeed."""
        if not self._has_lease:
            return CheckpointResult.LEASE_LOST
        try:
            checkpointer.checkpoint()
        except CheckpointError as error:
            self._on_refusal(error.value)
            match error.value:
                case "ThrottlingException" | "KinesisClientLibDependencyException":
                    return None
                case "ShutdownException":
                    self._has_lease = False
                    return CheckpointResult.LEASE_LOST
                case "InvalidStateException":
                    # kclpy also raises it for an answer to something else, and its documentation advises to exit.
                    raise ServiceUnavailable("the daemon answers a checkpoint with InvalidStateException") from error
            return CheckpointResult.REFUSED
        self._pending_since_seconds = None
        return CheckpointResult.WRITTEN
