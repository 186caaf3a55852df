"""A table that has seen some payloads: what most tests of a suppression begin with."""

from pipeline.batch import StreamRecord
from pipeline.lookup import LookupResult, lookup
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY, Policy, Verdict
from pipeline.projection import project
from tests.support.builders import ADA, OCCURRED_AT


class World:
    """A table that has seen some payloads, and the quarantine beside it."""

    def __init__(self, *payloads: bytes, policy: Policy = DEFAULT_POLICY) -> None:
        self.store, self.quarantine = MemoryStore(), MemoryQuarantine()
        records = [StreamRecord(payload=payload, position=str(n)) for n, payload in enumerate(payloads)]
        self.tally = project(records, store=self.store, quarantine=self.quarantine, policy=policy)

    def answer(self, address: str = ADA) -> LookupResult:
        """Return what a sender is told at the time of the example events."""
        return lookup([address], store=self.store, now=OCCURRED_AT)[0]

    def verdict(self, address: str = ADA) -> Verdict:
        """Return the table's verdict."""
        verdict = self.answer(address).verdict
        assert verdict is not None
        return verdict
