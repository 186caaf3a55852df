"""Cut a sequence into batches, as every AWS call with a limit on items and on bytes needs it. Pure."""

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


def batches(
    items: Iterable[T], *, size_bytes: Callable[[T], int], max_bytes: int, max_items: int | None = None
) -> Iterator[list[T]]:
    """Give the items in batches within both limits, in order; an item that is too big by itself travels alone.

    Args:
        items: What to cut.
        size_bytes: An item's size, as the limit counts it.
        max_bytes: A batch's greatest size.
        max_items: A batch's greatest number of items; None: any number.
    """
    batch: list[T] = []
    batch_bytes = 0
    for item in items:
        item_bytes = size_bytes(item)
        if batch and (batch_bytes + item_bytes > max_bytes or len(batch) == max_items):
            yield batch
            batch, batch_bytes = [], 0
        batch.append(item)
        batch_bytes += item_bytes
    if batch:
        yield batch
