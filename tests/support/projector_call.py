"""One call of the projector's Lambda: with which ports, and what Lambda is told."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.aws.lambdas.projector import project_event
from pipeline.batch import StreamRecord
from pipeline.errors import ArchiveUnavailable, PartialBatchFailure, StoreUnavailable
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import Item
from pipeline.standing import Key
from tests.support.builders import a_bounce, in_eventbridge

POISON = b"no JSON at all"
PEOPLE = [f"user{number}@example.com" for number in range(6)]


def a_bounce_of(number: int) -> bytes:
    """Return a bounce as EventBridge hands it on; each number is another person's."""
    return in_eventbridge(a_bounce(recipients=[PEOPLE[number]], feedback_id=f"f{number}"))


class Flaky(MemoryStore):
    """A table that is away after a number of saves."""

    def __init__(self, saves: int) -> None:
        super().__init__()
        self.saves_left = saves

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        if self.saves_left < 0:
            raise StoreUnavailable("the table is away")
        return super().load(keys)

    def save(self, key: Key, item: Item, *, expected: str) -> None:
        if self.saves_left <= 0:
            raise StoreUnavailable("the table is away")
        self.saves_left -= 1
        super().save(key, item, expected=expected)


class Log:
    """A log that is away after a number of records."""

    def __init__(self, room: int = 99) -> None:
        self.room = room
        self.payloads: list[bytes] = []

    def put(self, records: Sequence[StreamRecord]) -> int:
        taken = records[: self.room - len(self.payloads)]
        self.payloads += [record.payload for record in taken]
        if len(taken) < len(records):
            raise PartialBatchFailure(failed_at=len(taken), cause=ArchiveUnavailable("the log is away"))
        return 0


def failures(
    event: dict[str, Any],
    *,
    store: MemoryStore | None = None,
    quarantine: MemoryQuarantine | None = None,
    log: Log | None = None,
) -> list[str]:
    """Project, and return the sequence numbers or message ids that Lambda is told."""
    answer = project_event(
        event,
        store=store or MemoryStore(),
        quarantine=quarantine or MemoryQuarantine(),
        policy=DEFAULT_POLICY,
        log=log,  # type: ignore[arg-type]  # what of the log is called
    )
    assert list(answer) == ["batchItemFailures"]
    assert all(list(failure) == ["itemIdentifier"] for failure in answer["batchItemFailures"])
    return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]]


def addresses(store: MemoryStore) -> list[str]:
    """Return who is suppressed, in order."""
    return sorted(key.address for key, item in store.scan() if item.verdict.suppressed)
