"""Split items into batches for AWS calls that limit both their number and their bytes. Pure."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

T = TypeVar("T")

Each = Callable[[Callable[[Any], Any], Iterable[Any]], Iterable[Any]]
"""Applies a function to each of many arguments: `map`, or a thread pool's, which applies it to several at once."""


def batches(
    items: Iterable[T], *, size_bytes: Callable[[T], int], max_bytes: int, max_items: int | None = None
) -> Iterator[list[T]]:
    """Yield the items in order, in batches within both limits. An item larger than a batch is a batch by itself.

    Args:
        items: The items.
        size_bytes: Returns an item's size, as the limit counts it.
        max_bytes: The greatest size of a batch.
        max_items: The greatest number of items in a batch; None for any number.
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
