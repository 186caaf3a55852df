"""The places of a cloud's leftovers, and a selection of leftovers in them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager

import msgspec

from pipeline.aws.leftovers.objects import OBJECT_PLACES, S3Leftovers
from pipeline.aws.leftovers.queue import QueueLeftovers
from pipeline.cli.target import Target
from pipeline.errors import NotFound, UsageError
from pipeline.leftover import Kept, Leftover, Leftovers, Place


class Selection(msgspec.Struct, frozen=True, kw_only=True):
    """Which leftovers a command works on.

    Attributes:
        places: Those in these places,
        reason: whose reason contains this text, in any case,
        ids: and that have one of these ids, if there are any.
    """

    places: tuple[Place, ...] = tuple(Place)
    reason: str = ""
    ids: tuple[str, ...] = ()


class LeftoverPlaces:
    """The places of one cloud. A dead-letter queue that it does not have is no place of it.

    Args:
        places: The leftovers of each place.
    """

    def __init__(self, places: Mapping[Place, Leftovers]) -> None:
        self._places = places

    def waiting(self, selection: Selection) -> Iterator[tuple[Iterator[Kept], Leftovers]]:
        """Yield the selected leftovers of each place that were not redriven, and the place."""
        for place, ids in self._selected(selection):
            leftovers = self._places[place]
            yield _matching(leftovers.waiting(ids), selection), leftovers

    def redriven(self, selection: Selection) -> Iterator[tuple[Iterator[Kept], Leftovers]]:
        """Yield the selected leftovers of each place that were redriven, and the place."""
        for place, ids in self._selected(selection):
            leftovers = self._places[place]
            yield _matching(leftovers.redriven(ids), selection), leftovers

    def find(self, leftover_id: str) -> Leftover:
        """Return a leftover, redriven or not.

        Raises:
            UsageError: The id is none of a leftover, or its object is no leftover.
            NotFound: There is none.
        """
        leftovers = self._places[self._place_of(leftover_id)]
        for kept in (*leftovers.waiting([leftover_id]), *leftovers.redriven([leftover_id])):
            if isinstance(kept, Leftover):
                return kept
            raise UsageError(f"{kept.id} is no leftover: {kept.why}")
        raise NotFound(f"there is no leftover {leftover_id}: `mailfold quarantine list --redriven` shows all")

    def check_ids(self, ids: Collection[str]) -> int:
        """Return how many of these leftovers were redriven before.

        Raises:
            UsageError: An id is none of a leftover, or its object is no leftover.
            NotFound: One of them does not exist.
        """
        return sum(self.find(leftover_id).is_redriven for leftover_id in ids)

    def _selected(self, selection: Selection) -> Iterator[tuple[Place, Sequence[str]]]:
        for place in selection.places:
            ids = [leftover_id for leftover_id in selection.ids if self._place_of(leftover_id) is place]
            if place in self._places and (ids or not selection.ids):
                yield place, ids

    def _place_of(self, leftover_id: str) -> Place:
        for place in self._places:
            prefix = OBJECT_PLACES[place].prefix if place in OBJECT_PLACES else f"{place}/"
            if leftover_id.startswith(prefix):
                return place
        raise UsageError(f"not the id of a leftover: {leftover_id!r}; `mailfold quarantine list` shows ids")


@contextmanager
def open_places(cloud: Target) -> Iterator[LeftoverPlaces]:
    """Open the places of a cloud. What was read of a queue is visible to others again at the end of the block."""
    clients, bucket = cloud.clients, cloud.settings.bucket
    outputs = cloud.stack.outputs if cloud.stack else {}
    queues = {
        Place.RULE_QUEUE: outputs.get("RuleDeadLetters"),
        Place.NOTIFICATION_QUEUE: outputs.get("NotificationDeadLetters"),
    }
    places: dict[Place, Leftovers] = {
        place: S3Leftovers(clients.s3, clients.kinesis, bucket=bucket, place=place) for place in OBJECT_PLACES
    }
    for place, url in queues.items():
        if url:
            places[place] = QueueLeftovers(clients.sqs, clients.s3, url=url, bucket=bucket, place=place)
    try:
        yield LeftoverPlaces(places)
    finally:
        for leftovers in places.values():
            leftovers.release()


def _matching(kept: Iterator[Kept], selection: Selection) -> Iterator[Kept]:
    reason = selection.reason.lower()
    return (item for item in kept if not isinstance(item, Leftover) or reason in item.reason.lower())
