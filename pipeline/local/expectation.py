"""What must be true at the end, worked out from the events as they were published, by the core alone.

Nothing that is on the way to log and table has a part in it, so it can bear witness against all of it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from threading import Lock

from pipeline.address import is_simulator
from pipeline.decode import decode
from pipeline.digest import digest
from pipeline.event import Event, Kind
from pipeline.fact import findings
from pipeline.gathering import gather
from pipeline.policy import Policy, Reason, verdict
from pipeline.standing import Key, Standing, join

FEEDBACK = frozenset({Kind.BOUNCE, Kind.COMPLAINT})


class Expectation:
    """Sees every event once, in any order; safe to use from several threads.

    Attributes:
        records: Records seen.
        feedback: Bounces and complaints among them.
    """

    def __init__(self, *, policy: Policy) -> None:
        self.records = 0
        self.feedback = 0
        self._policy = policy
        self._kinds: dict[str, str] = {}
        self._standings: dict[Key, Standing] = {}
        self._lock = Lock()

    def see(self, events: Sequence[bytes]) -> None:
        """Take note of events."""
        seen = [outcome for payload in events for outcome in decode(payload) if isinstance(outcome, Event)]
        changes = gather(finding for event in seen for finding in findings(event))
        with self._lock:
            self.records += len(events)
            self.feedback += sum(event.kind in FEEDBACK for event in seen)
            self._kinds.update((event.id, event.kind.value) for event in seen)
            for key, change in changes.items():
                self._standings[key] = join(self._standings[key], change) if key in self._standings else change

    def events_by_kind(self) -> Counter[str]:
        """Return how many distinct events there were of each kind."""
        return Counter(self._kinds.values())

    def digest(self) -> str:
        """Return the digest that the table must have."""
        return digest(self._standings.items())

    def suppressed(self) -> Iterator[tuple[Key, Reason]]:
        """Give who must be suppressed, and why."""
        for key, known in self._standings.items():
            judged = verdict(known, self._policy, address=key.address)
            if judged.reason:
                yield key, judged.reason

    def spared(self) -> Iterator[Key]:
        """Give those of whom something is known, and who may be mailed all the same."""
        guilty = {key for key, _ in self.suppressed()}
        return (key for key in self._standings if key not in guilty and not is_simulator(key.address))
