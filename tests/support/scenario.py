"""Batches and events of payloads, the projection into tables in memory, and a table that has received payloads."""

from collections.abc import Sequence

from pipeline.batch import StreamRecord
from pipeline.decode import decode
from pipeline.event import Event
from pipeline.lookup import LookupResult, LookupStatus, lookup
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY, Policy
from pipeline.ports import Quarantine, SuppressionStore
from pipeline.projection import BatchProjector, BatchResult
from pipeline.standing import EVERY_SCOPE, Standing
from pipeline.verdict import Verdict
from tests.support.builders import ADA, OCCURRED_AT


def a_batch(*payloads: bytes) -> list[StreamRecord]:
    """Return a batch; the position of a record is its index."""
    return [StreamRecord(payload=payload, position=str(index)) for index, payload in enumerate(payloads)]


def project(
    batch: Sequence[StreamRecord],
    *,
    store: SuppressionStore,
    shadow_stores: Sequence[SuppressionStore] = (),
    quarantine: Quarantine | None = None,
    policy: Policy = DEFAULT_POLICY,
) -> BatchResult:
    """Project a batch; without a quarantine, poison is dropped."""
    projector = BatchProjector(
        store=store, shadow_stores=shadow_stores, quarantine=quarantine or MemoryQuarantine(), policy=policy
    )
    return projector.project(batch)


def an_event(payload: bytes) -> Event:
    """Return the only event of a payload."""
    [event] = decode(payload)
    assert isinstance(event, Event)
    return event


class Scenario:
    """A table and a quarantine that have received some payloads."""

    def __init__(self, *payloads: bytes, policy: Policy = DEFAULT_POLICY) -> None:
        self.store, self.quarantine = MemoryStore(), MemoryQuarantine()
        self.counts = self.receive(*payloads, policy=policy).counts

    def receive(self, *payloads: bytes, policy: Policy = DEFAULT_POLICY) -> BatchResult:
        """Project further payloads."""
        result = project(a_batch(*payloads), store=self.store, quarantine=self.quarantine, policy=policy)
        assert result.cause is None
        return result

    def lookup(self, address: str = ADA) -> LookupResult:
        """Return the look-up of an address at the time of the example events."""
        return lookup([address], store=self.store, now=OCCURRED_AT)[0]

    def verdict(self, address: str = ADA) -> Verdict:
        """Return the table's verdict on an address."""
        return self.lookup(address).verdict

    def is_suppressed(self, address: str = ADA) -> bool:
        """Return True if an address is suppressed at the time of the example events."""
        return self.lookup(address).status is LookupStatus.SUPPRESSED

    def standing(self, address: str = ADA) -> Standing:
        """Return the facts about an address in every scope."""
        return self.lookup(address).standings[EVERY_SCOPE]
