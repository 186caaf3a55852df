"""What the hops between SES and its readers may do to events, done on purpose.

Every hop may repeat, reorder and hold back; SES to EventBridge may also lose, being "best effort"
(docs.aws.amazon.com/eventbridge/latest/ref/events-ref-ses.html). So the archive's path never drops here, and the
feedback's does. Seeded: the same seed and the same calls do the same.
"""

from collections.abc import Sequence
from random import Random
from typing import NamedTuple

import msgspec

from pipeline.errors import UsageError

MOST_REPEATS = 7  # one event in eight copies has been seen as normal


class FaultCounts(msgspec.Struct, kw_only=True):
    """What was done on one path, in events.

    Attributes:
        repeated: Extra copies let through.
        reordered: Moved to another place among those let through together.
        delayed: Held back for a later call, counted once for each call.
        dropped: Lost.
    """

    repeated: int = 0
    reordered: int = 0
    delayed: int = 0
    dropped: int = 0


class HeldBack(NamedTuple):
    """What is still held back, by path."""

    archive: list[bytes]
    feedback: list[bytes]


class Chaos:
    """Two paths on which events go astray.

    Attributes:
        archive_mischief: What was done on the archive's path.
        feedback_mischief: What was done on the feedback's path.
    """

    def __init__(
        self, *, seed: int, repeat: float = 0.1, reorder: float = 0.3, delay: float = 0.1, drop: float = 0.1
    ) -> None:
        """Set the share of events that each thing happens to.

        Args:
            seed: What chance starts from.
            repeat: How many are repeated, up to 7 times.
            reorder: How many change places with others of the same call.
            delay: How many are held back until a later call, or until `rest`; the share is taken again at each call.
            drop: How many are lost, on the feedback's path only.

        Raises:
            UsageError: A share is not between 0 and 1.
        """
        shares = {"repeat": repeat, "reorder": reorder, "delay": delay, "drop": drop}
        for name, share in shares.items():
            if not 0 <= share <= 1:
                raise UsageError(f"{name} is a share of events, between 0 and 1; got {share}")
        random = Random(seed)  # noqa: S311 - made-up mishaps
        self._archive = _Path(random, repeat=repeat, reorder=reorder, delay=delay, drop=0)
        self._feedback = _Path(random, repeat=repeat, reorder=reorder, delay=delay, drop=drop)
        self.archive_mischief = self._archive.mischief
        self.feedback_mischief = self._feedback.mischief

    def archive(self, events: Sequence[bytes]) -> list[bytes]:
        """Return what comes through to the archive now, from these events and from those held back. Drops none."""
        return self._archive.through(events)

    def feedback(self, events: Sequence[bytes]) -> list[bytes]:
        """Return what comes through to the feedback stream now, from these events and from those held back."""
        return self._feedback.through(events)

    def rest(self) -> HeldBack:
        """Return what is still held back, and hold nothing any more."""
        return HeldBack(archive=self._archive.release(), feedback=self._feedback.release())


class _Path:
    """One way that events take."""

    def __init__(self, random: Random, *, repeat: float, reorder: float, delay: float, drop: float) -> None:
        self.mischief = FaultCounts()
        self._random = random
        self._repeat, self._reorder, self._delay, self._drop = repeat, reorder, delay, drop
        self._held: list[bytes] = []

    def through(self, events: Sequence[bytes]) -> list[bytes]:
        arrived = self._held + [copy for event in events for copy in self._copies(event)]
        passing: list[bytes] = []
        self._held = []
        for event in arrived:
            (self._held if self._happens(self._delay) else passing).append(event)
        self.mischief.delayed += len(self._held)
        return self._shuffled(passing)

    def release(self) -> list[bytes]:
        held, self._held = self._held, []
        return held

    def _copies(self, event: bytes) -> list[bytes]:
        if self._happens(self._drop):
            self.mischief.dropped += 1
            return []
        extra = self._random.randint(1, MOST_REPEATS) if self._happens(self._repeat) else 0
        self.mischief.repeated += extra
        return [event] * (1 + extra)

    def _shuffled(self, events: list[bytes]) -> list[bytes]:
        """Let some of the events change places among themselves."""
        places = [place for place in range(len(events)) if self._happens(self._reorder)]
        moved = self._random.sample(places, len(places))
        self.mischief.reordered += sum(place != other for place, other in zip(places, moved, strict=True))
        shuffled = list(events)
        for place, other in zip(places, moved, strict=True):
            shuffled[place] = events[other]
        return shuffled

    def _happens(self, share: float) -> bool:
        return self._random.random() < share
