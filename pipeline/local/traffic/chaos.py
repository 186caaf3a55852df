"""Injected faults on the way of events from SES to their readers.

Claims: each hop may repeat, reorder and hold back events; SES to EventBridge, which is "best effort", may also lose
them (docs.aws.amazon.com/eventbridge/latest/ref/events-ref-ses.html). So the archive's path never drops here, and the
feedback's does. Leaves out: changed content. The same seed and the same calls have the same effect.
"""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import msgspec

from pipeline.errors import UsageError

MAX_REPEATS = 7  # eight copies of one event have been observed in normal operation


class FaultCounts(msgspec.Struct, kw_only=True):
    """Faults injected on one path, in events.

    Attributes:
        repeated: Extra copies.
        reordered: Events moved to another place within one call.
        delayed: Events held back for a later call, counted once for each call.
        dropped: Events lost.
    """

    repeated: int = 0
    reordered: int = 0
    delayed: int = 0
    dropped: int = 0


class HeldBack(NamedTuple):
    """Events that are held back, by path."""

    archive: list[bytes]
    feedback: list[bytes]


class Chaos:
    """Two paths with injected faults.

    Attributes:
        archive_faults: Faults on the archive's path.
        feedback_faults: Faults on the feedback's path.
    """

    def __init__(
        self, *, seed: int, repeat: float = 0.1, reorder: float = 0.3, delay: float = 0.1, drop: float = 0.1
    ) -> None:
        """Set the share of events that each fault affects.

        Args:
            seed: Seed of the faults.
            repeat: Share of events repeated, up to 7 times.
            reorder: Share of events that change places with others of the same call.
            delay: Share of events held back until a later call, or until `release`; drawn again at each call.
            drop: Share of events lost, on the feedback's path only.

        Raises:
            UsageError: A share is not between 0 and 1.
        """
        shares = {"repeat": repeat, "reorder": reorder, "delay": delay, "drop": drop}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise UsageError(f"{name} is a share of events, between 0 and 1; got {share}")
        random = Random(seed)  # noqa: S311 - a simulation
        self._archive = _Path(random, repeat=repeat, reorder=reorder, delay=delay, drop=0)
        self._feedback = _Path(random, repeat=repeat, reorder=reorder, delay=delay, drop=drop)
        self.archive_faults = self._archive.faults
        self.feedback_faults = self._feedback.faults

    def archive(self, events: Sequence[bytes]) -> list[bytes]:
        """Return what arrives at the archive now, of these events and of those held back. None is dropped."""
        return self._archive.transmit(events)

    def feedback(self, events: Sequence[bytes]) -> list[bytes]:
        """Return what arrives at the feedback stream now, of these events and of those held back."""
        return self._feedback.transmit(events)

    def release(self) -> HeldBack:
        """Return all events that are held back, and hold none."""
        return HeldBack(archive=self._archive.release(), feedback=self._feedback.release())


class _Path:
    """The path of events to one reader."""

    def __init__(self, random: Random, *, repeat: float, reorder: float, delay: float, drop: float) -> None:
        self.faults = FaultCounts()
        self._random = random
        self._repeat, self._reorder, self._delay, self._drop = repeat, reorder, delay, drop
        self._held: list[bytes] = []

    def transmit(self, events: Sequence[bytes]) -> list[bytes]:
        candidates = self._held + [copy for event in events for copy in self._copies(event)]
        passing: list[bytes] = []
        self._held = []
        for event in candidates:
            (self._held if self._draw(self._delay) else passing).append(event)
        self.faults.delayed += len(self._held)
        return self._shuffle(passing)

    def release(self) -> list[bytes]:
        held, self._held = self._held, []
        return held

    def _copies(self, event: bytes) -> list[bytes]:
        if self._draw(self._drop):
            self.faults.dropped += 1
            return []
        extra = self._random.randint(1, MAX_REPEATS) if self._draw(self._repeat) else 0
        self.faults.repeated += extra
        return [event] * (1 + extra)

    def _shuffle(self, events: list[bytes]) -> list[bytes]:
        """Return the events after some of them changed places among themselves."""
        places = [place for place in range(len(events)) if self._draw(self._reorder)]
        moved = self._random.sample(places, len(places))
        self.faults.reordered += sum(place != other for place, other in zip(places, moved, strict=True))
        shuffled = list(events)
        for place, other in zip(places, moved, strict=True):
            shuffled[place] = events[other]
        return shuffled

    def _draw(self, share: float) -> bool:
        return self._random.random() < share
