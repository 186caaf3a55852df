"""Leftovers: records that a hop of the pipeline could not process, and kept with their bytes to be redriven. Pure.

A leftover is one object or one message, as the hop wrote it. It holds one record or many. The port `Leftovers` has one
contract suite, under tests/contract, as those of `pipeline.ports`.
"""

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

import msgspec

from pipeline.batch import StreamRecord


class Place(StrEnum):
    """Where leftovers are kept, by the hop that failed."""

    QUARANTINE = "quarantine"  # the projector or an ingestion could not decode a payload
    FIREHOSE = "firehose"  # Firehose could not transform or convert records
    LAMBDA = "lambda"  # the projector failed until the retries of Lambda ended
    RULE_QUEUE = "rule-queue"  # EventBridge could not put feedback into the stream
    NOTIFICATION_QUEUE = "notification-queue"  # the projector did not receive or process a notification


class Leftover(msgspec.Struct, frozen=True, kw_only=True):
    """What one hop kept of one failure.

    Attributes:
        id: Names it in all places: the key of its object, or place and id of its message.
        place: Where it is.
        at: When it was kept; of one that was redriven, when it was marked. Aware.
        reason: Why it is there, as the hop says; contains no address.
        position: Where its records were read before.
        size_bytes: Size of the object or the message.
        records: Its records.
        in_log: True if the event log received its records by another way, so that only the table lacks them.
        expired: Number of records that it only refers to, and that the stream does not retain any more.
        is_redriven: True if it is marked.
    """

    id: str
    place: Place
    at: datetime
    reason: str
    position: str
    size_bytes: int
    records: tuple[StreamRecord, ...]
    in_log: bool = False
    expired: int = 0
    is_redriven: bool = False


class ForeignObject(msgspec.Struct, frozen=True, kw_only=True):
    """An object or a message in a place of leftovers that is no leftover. It is named, and stays where it is.

    Attributes:
        id: Its key, or place and id of its message.
        why: Why it is not read; contains nothing of it.
    """

    id: str
    why: str


Kept = Leftover | ForeignObject


class Leftovers(Protocol):
    """The leftovers of one place.

    Every method may raise:
        Unavailable: The place is throttled or unreachable; safe to try again.
        AccessDenied, NotFound: The place may not be read or written, or does not exist.
    """

    def waiting(self, ids: Collection[str] = ()) -> Iterator[Kept]:
        """Yield each leftover that is not marked, and what is no leftover, in any order.

        Others may be added meanwhile. A queue hides what was yielded from other readers until `release`, or for
        minutes.

        Args:
            ids: Only these. One that is not there is not yielded. None of them means all.
        """
        ...

    def redriven(self, ids: Collection[str] = ()) -> Iterator[Kept]:
        """Yield each leftover that is marked; see `waiting`. It has the same id and records as before."""
        ...

    def mark(self, leftovers: Sequence[Leftover]) -> None:
        """Mark leftovers as redriven: they are kept, and wait no more. Marking one again changes nothing.

        Args:
            leftovers: Some that `waiting` of this object yielded.
        """
        ...

    def release(self) -> None:
        """Return to the place what was read and not marked. Without it, a queue does so minutes later."""
        ...
