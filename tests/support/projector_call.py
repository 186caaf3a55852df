"""One invocation of the projector's Lambda with fake ports, and Lambda's response."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.aws.lambdas.projector import project_event
from pipeline.batch import StreamRecord
from pipeline.errors import (
    ArchiveUnavailable,
    MailfoldError,
    PartialBatchFailure,
    StoreUnavailable,
)
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import Item, Put
from pipeline.projection import BatchProjector
from pipeline.standing import Key
from tests.support.builders import a_bounce, in_eventbridge

POISON = b"no JSON at all"
PEOPLE = [f"user{number}@example.com" for number in range(6)]


def a_bounce_of(number: int) -> bytes:
    """Return the bounce of one of `PEOPLE`, as EventBridge delivers it."""
    return in_eventbridge(a_bounce(recipients=[PEOPLE[number]], feedback_id=f"f{number}"))


class LimitedStore(MemoryStore):
    """A table that fails after a number of saves; with fewer than none left, it cannot be read either."""

    def __init__(self, saves: int, error: MailfoldError | None = None) -> None:
        super().__init__()
        self.saves_left = saves
        self._error = error or StoreUnavailable("the table is unavailable")

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        if self.saves_left < 0:
            raise self._error
        return super().load(keys)

    def put(self, put: Put) -> None:
        if self.saves_left <= 0:
            raise self._error
        self.saves_left -= 1
        super().put(put)


class FakeLog:
    """An event log that fails after a number of records."""

    def __init__(self, room: int = 99) -> None:
        self.room = room
        self.payloads: list[bytes] = []

    def put(self, records: Sequence[StreamRecord]) -> int:
        stored = records[: self.room - len(self.payloads)]
        self.payloads += [record.payload for record in stored]
        if len(stored) < len(records):
            raise PartialBatchFailure(failed_at=len(stored), cause=ArchiveUnavailable("the log is unavailable"))
        return 0


def run_projector(
    event: dict[str, Any],
    *,
    store: MemoryStore | None = None,
    quarantine: MemoryQuarantine | None = None,
    log: FakeLog | None = None,
) -> list[str]:
    """Project, and return the sequence numbers or message ids of the response."""
    response = project_event(
        event,
        projector=BatchProjector(
            store=store or MemoryStore(), quarantine=quarantine or MemoryQuarantine(), policy=DEFAULT_POLICY
        ),
        log=log,  # type: ignore[arg-type]  # only `put` is called
    )
    assert list(response) == ["batchItemFailures"]
    assert all(list(failure) == ["itemIdentifier"] for failure in response["batchItemFailures"])
    return [failure["itemIdentifier"] for failure in response["batchItemFailures"]]


def suppressed_addresses(store: MemoryStore) -> list[str]:
    """Return the suppressed addresses, sorted."""
    return sorted(key.address for key, item in store.scan() if item.verdict.suppressed)
