"""A record processor in this process, with a fake daemon, and a clock that only waits and tests advance."""

import io
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from itertools import count

from amazon_kclpy.checkpoint_error import CheckpointError
from amazon_kclpy.dispatch import message_decode
from aws_lambda_powertools import Logger

from pipeline.aws.kcl.health import ShardHealth
from pipeline.aws.kcl.record_processor import RecordProcessor
from pipeline.aws.kcl.telemetry import Telemetry
from pipeline.aws.settings import ConsumerSettings
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import Quarantine, SuppressionStore
from pipeline.projection import BatchProjector
from tests.support.record_processor_client import SHARD, Message, records

CHECKPOINT_SECONDS = 60.0
PATIENCE_SECONDS = 600.0

_numbers = count()


class Clock:
    """Seconds that only waits and tests advance.

    Attributes:
        waits: Every wait so far.
        is_connected: The result of each wait: whether the daemon still has its pipe open.
    """

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.waits: list[float] = []
        self.is_connected = True

    def __call__(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now_s += seconds
        return self.is_connected


class Checkpointer:
    """Refuses each checkpoint with the next error, and writes it if there is none.

    Attributes:
        attempts: Number of checkpoints requested.
        written: Number of checkpoints written.
    """

    def __init__(self, errors: Iterable[str] = ()) -> None:
        self._errors = iter(errors)
        self.attempts = self.written = 0

    def checkpoint(self, sequence_number: str | None = None, sub_sequence_number: int | None = None) -> None:
        assert sequence_number is None, "a checkpoint is for the whole batch"
        self.attempts += 1
        if error := next(self._errors, None):
            raise CheckpointError(error)
        self.written += 1


class Lease:
    """A record processor with a shard.

    Args:
        store: Its table; by default one in memory.
        quarantine: Its quarantine; by default one in memory.
        settings: Its settings.
    """

    def __init__(
        self,
        *,
        store: SuppressionStore | None = None,
        quarantine: Quarantine | None = None,
        settings: ConsumerSettings | None = None,
    ) -> None:
        self.clock, self.log = Clock(), io.StringIO()
        self.telemetry = Telemetry(
            service="consumer",
            logger=Logger(
                service=f"consumer-{next(_numbers)}", stream=self.log
            ),  # a new name, because powertools keeps a logger's first stream
            now=lambda: datetime.fromtimestamp(self.clock.now_s, UTC),
            clock=self.clock,
        )
        projector = BatchProjector(
            store=store or MemoryStore(), quarantine=quarantine or MemoryQuarantine(), policy=DEFAULT_POLICY
        )
        self.processor = RecordProcessor(
            lambda: projector,
            settings=settings
            or ConsumerSettings(
                stream="mail-feedback", checkpoint_seconds=CHECKPOINT_SECONDS, patience_seconds=PATIENCE_SECONDS
            ),
            telemetry=self.telemetry,
            wait=self.clock.wait,
            clock=self.clock,
        )
        self.initialize()

    @property
    def health(self) -> ShardHealth:
        """Health of the shard."""
        return self.telemetry.health

    def initialize(self) -> None:
        """Assign the shard to it."""
        self._do({"action": "initialize", "shardId": SHARD, "sequenceNumber": "TRIM_HORIZON", "subSequenceNumber": 0})

    def process(self, *data: bytes, behind_ms: int = 0, errors: Sequence[str] = ()) -> Checkpointer:
        """Send it a batch."""
        batch = [message_decode(record) for record in records(*data)]
        return self._do({"action": "processRecords", "records": batch, "millisBehindLatest": behind_ms}, errors)

    def act(self, action: str, errors: Sequence[str] = ()) -> Checkpointer:
        """Send it an action without records."""
        return self._do({"action": action}, errors)

    def _do(self, message: Message, errors: Sequence[str] = ()) -> Checkpointer:
        checkpointer = Checkpointer(errors)
        message_decode(message).dispatch(checkpointer, self.processor)
        return checkpointer
