"""When a shard's progress is written down, and what becomes of a refusal.

What was stored but not checkpointed is read again by whoever has the shard next, and changes nothing. So a checkpoint
may be late, and may fail; it must never be early, and must not be left out where a shard ends.
github.com/awslabs/amazon-kinesis-client/tree/master/amazon-kinesis-client/src/main/java/software/amazon/kinesis/exceptions
"""

import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Any, Protocol

from amazon_kclpy.checkpoint_error import CheckpointError

from pipeline.aws.retry import Backoff, Wait
from pipeline.errors import ServiceUnavailable

RETRY_SECONDS = 8.0  # a worker that ends waits for a last checkpoint no longer than its grace, 20 s by default
FIRST_WAIT_SECONDS = 0.5
LONGEST_WAIT_SECONDS = 4.0


class Checkpointer(Protocol):
    """What kclpy passes to a record processor."""

    def checkpoint(self, sequence_number: str | None = None, sub_sequence_number: int | None = None) -> Any:
        """Write down that all up to there is done; None: all that was delivered.

        Raises:
            CheckpointError: The daemon could not; its `value` is the simple name of a Java exception.
        """
        ...


class CheckpointResult(Enum):
    """What became of a checkpoint."""

    WRITTEN = auto()
    LEASE_LOST = auto()
    """Another worker has the shard; progress is its affair now."""
    REFUSED = auto()
    """It was not written, and may be another time."""


class Checkpoints:
    """Writes a shard's checkpoints."""

    def __init__(
        self,
        *,
        every_seconds: float,
        wait: Wait,
        refused: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Write none yet.

        Args:
            every_seconds: How long lies between two of them, at least.
            wait: Waits before one is tried again.
            refused: Told of every refusal, by the daemon's name for it.
            clock: Seconds that only go up.
        """
        self._every_seconds, self._wait, self._refused, self._clock = every_seconds, wait, refused, clock
        self.begin()

    @property
    def age_seconds(self) -> float:
        """For how long something that is done has waited to be written down; 0: nothing does."""
        return 0.0 if self._waits_since_s is None else self._clock() - self._waits_since_s

    def begin(self) -> None:
        """Have a new lease: what comes first is written down at once."""
        self._has_lease = True
        self._tried_at_s: float | None = None
        self._waits_since_s: float | None = None

    def note_done(self) -> None:
        """Have something to write down."""
        if self._waits_since_s is None:
            self._waits_since_s = self._clock()

    def write_when_due(self, checkpointer: Checkpointer) -> CheckpointResult | None:
        """Write one, unless nothing waits for it, or the last was tried a short while ago; then return None.

        Raises:
            ServiceUnavailable: As `write`.
        """
        was_lately = self._tried_at_s is not None and self._clock() - self._tried_at_s < self._every_seconds
        return None if self._waits_since_s is None or was_lately else self.write(checkpointer)

    def write(self, checkpointer: Checkpointer) -> CheckpointResult:
        """Write one now, trying again for some seconds if the lease table throttles.

        Raises:
            ServiceUnavailable: The daemon answered something else. Either there is no lease table any more, or its
                messages and ours are out of step: an answer now could acknowledge what is not done.
        """
        patience = Backoff(
            RETRY_SECONDS,
            first_wait_seconds=FIRST_WAIT_SECONDS,
            longest_wait_seconds=LONGEST_WAIT_SECONDS,
            wait=self._wait,
            clock=self._clock,
        )
        result = self._try(checkpointer)
        while result is None:
            result = self._try(checkpointer) if patience.wait() else CheckpointResult.REFUSED
        self._tried_at_s = self._clock()
        return result

    def _try(self, checkpointer: Checkpointer) -> CheckpointResult | None:
        """Try it once; None: it is worth another try."""
        if not self._has_lease:
            return CheckpointResult.LEASE_LOST
        try:
            checkpointer.checkpoint()
        except CheckpointError as error:
            self._refused(error.value)
            match error.value:
                case "ThrottlingException" | "KinesisClientLibDependencyException":
                    return None
                case "ShutdownException":
                    self._has_lease = False
                    return CheckpointResult.LEASE_LOST
                case "InvalidStateException":
                    # kclpy raises this one too, for an answer that is no checkpoint's, and advises to exit.
                    raise ServiceUnavailable("the daemon answers a checkpoint with InvalidStateException") from error
            return CheckpointResult.REFUSED
        self._waits_since_s = None
        return CheckpointResult.WRITTEN
