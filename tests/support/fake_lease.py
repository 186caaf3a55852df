"""A record processor in this process, with a clock that only its waits move, and a daemon that does as it is told."""

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
    """Seconds that only waits, and tests, let go by.

    Attributes:
        waits: Every wait so far.
        somebody_waits: What a wait returns: whether the daemon is there.
    """

    def __init__(self) -> None:
        self.now_s = 1_000.0
        self.waits: list[float] = []
        self.somebody_waits = True

    def __call__(self) -> float:
        return self.now_s

    def wait(self, seconds: float) -> bool:
        self.waits.append(seconds)
        self.now_s += seconds
        return self.somebody_waits


class Checkpointer:
    """Answers each checkpoint with the next of the errors, or else writes it.

    Attributes:
        tries: How many were asked for.
        written: How many were written.
    """

    def __init__(self, errors: Iterable[str] = ()) -> None:
        self._errors = iter(errors)
        self.tries = self.written = 0

    def checkpoint(self, sequence_number: str | None = None, sub_sequence_number: int | None = None) -> None:
        assert sequence_number is None, "the whole batch is what is done"
        self.tries += 1
        if error := next(self._errors, None):
            raise CheckpointError(error)
        self.written += 1


class Lease:
    """A record processor with a shard.

    Args:
        store: Its table.
        quarantine: Its quarantine.
        settings: How long it waits for what.
    """

    def __init__(
        self,
        *,
        store: SuppressionStore | None = None,
        quarantine: Quarantine | None = None,
        settings: ConsumerSettings | None = None,
    ) -> None:
        self.clock, self.log = Clock(), io.StringIO()
        self.report = Telemetry(
            service="consumer",
            logger=Logger(service=f"consumer-{next(_numbers)}", stream=self.log),  # one of its own: it keeps its stream
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
            report=self.report,
            wait=self.clock.wait,
            clock=self.clock,
        )
        self.initialize()

    @property
    def health(self) -> ShardHealth:
        """How it fares."""
        return self.report.health

    def initialize(self) -> None:
        """Give it the shard."""
        self._do({"action": "initialize", "shardId": SHARD, "sequenceNumber": "TRIM_HORIZON", "subSequenceNumber": 0})

    def process(self, *data: bytes, behind_ms: int = 0, errors: Sequence[str] = ()) -> Checkpointer:
        """Give it a batch."""
        batch = [message_decode(record) for record in records(*data)]
        return self._do({"action": "processRecords", "records": batch, "millisBehindLatest": behind_ms}, errors)

    def act(self, action: str, errors: Sequence[str] = ()) -> Checkpointer:
        """Tell it something without records."""
        return self._do({"action": action}, errors)

    def _do(self, message: Message, errors: Sequence[str] = ()) -> Checkpointer:
        checkpointer = Checkpointer(errors)
        message_decode(message).dispatch(checkpointer, self.processor)
        return checkpointer
