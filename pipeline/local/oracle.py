"""The oracle of the demo: what log and table must hold, derived from the events as SES published them.

It uses the core alone. No part between SES and the log or the table contributes to it, so it can check all of them.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from threading import Lock

from pipeline.address import is_simulator
from pipeline.batch import group_by_key
from pipeline.decode import decode
from pipeline.digest import digest
from pipeline.event import Event, EventKind
from pipeline.fact import facts
from pipeline.policy import Policy, verdict
from pipeline.standing import Key, Standing, join
from pipeline.verdict import Reason

_FEEDBACK = frozenset({EventKind.BOUNCE, EventKind.COMPLAINT})


class Oracle:
    """Observes each event once, in any order. Safe to use from several threads.

    Args:
        policy: Suppression policy.

    Attributes:
        records: Number of records observed.
        feedback: Number of bounces and complaints among them.
    """

    def __init__(self, *, policy: Policy) -> None:
        self.records = 0
        self.feedback = 0
        self._policy = policy
        self._kinds: dict[str, str] = {}
        self._standings: dict[Key, Standing] = {}
        self._lock = Lock()

    def observe(self, records: Sequence[bytes]) -> None:
        """Add records as SES publishes them."""
        events = [outcome for payload in records for outcome in decode(payload) if isinstance(outcome, Event)]
        changes = group_by_key(fact for event in events for fact in facts(event))
        with self._lock:
            self.records += len(records)
            self.feedback += sum(event.kind in _FEEDBACK for event in events)
            self._kinds.update((event.id, event.kind.value) for event in events)
            for key, change in changes.items():
                self._standings[key] = join(self._standings[key], change) if key in self._standings else change

    def events_by_kind(self) -> Counter[str]:
        """Return the number of distinct events of each kind."""
        return Counter(self._kinds.values())

    def digest(self) -> str:
        """Return the digest that the table must have."""
        return digest(self._standings.items())

    def suppressed(self) -> Iterator[tuple[Key, Reason]]:
        """Yield the keys that must be suppressed, each with its reason."""
        for key, standing in self._standings.items():
            reason = verdict(standing, self._policy, address=key.address).reason
            if reason:
                yield key, reason

    def not_suppressed(self) -> Iterator[Key]:
        """Yield the keys that have facts and must not be suppressed, without the simulator's."""
        suppressed_keys = {key for key, _ in self.suppressed()}
        return (key for key in self._standings if key not in suppressed_keys and not is_simulator(key.address))
