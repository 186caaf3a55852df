"""Columns in the making: values in a few at a time, an Arrow array out.

Where time goes is odd here. An Arrow array has a price of its own, some 3 µs, so most columns gather a thousand values
first. But mappings are dozens of small objects each, and raw text is long: while those are kept, they push all else
out of the processor's cache, and Python's garbage collector walks through them again and again. They are turned into
Arrow's form at once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pyarrow as pa
from msgspec.structs import asdict

VALUES_PER_ARRAY = 1_000
BULKY = frozenset({"raw", "tags", "link_tags"})


class Column:
    """A column in the making; values are as `pipeline.row.Row` has them, and an empty tuple becomes null."""

    def __init__(self, field: Any) -> None:
        """Begin an empty one.

        Args:
            field: Its Arrow field.
        """
        self._type = field.type
        self._array = _maker(field.type)
        self._values_per_array = 1 if field.name in BULKY else VALUES_PER_ARRAY
        self._values: list[Any] = []
        self._arrays: list[Any] = []

    def add(self, values: Sequence[Any]) -> None:
        """Take the next values."""
        self._values += values
        if len(self._values) >= self._values_per_array:
            self._turn()

    def array(self) -> Any:
        """Return all the values as an Arrow chunked array."""
        self._turn()
        return pa.chunked_array(self._arrays, self._type)

    def _turn(self) -> None:
        self._arrays.append(self._array(self._values))
        self._values = []


def _maker(of: Any) -> Callable[[Sequence[Any]], Any]:
    if pa.types.is_map(of):
        return lambda values: _maps(values, of)
    if not pa.types.is_list(of):
        return lambda values: pa.array(values, of)
    if pa.types.is_struct(of.value_type):
        return lambda values: pa.array([list(map(asdict, value)) if value else None for value in values], of)
    return lambda values: pa.array([value or None for value in values], of)


def _maps(values: Sequence[Mapping[str, Sequence[str]] | None], of: Any) -> Any:
    """Return mappings as an Arrow array; flattened here, since Arrow would make pairs of them first."""
    keys: list[str] = []
    items: list[Sequence[str]] = []
    offsets: list[int | None] = []
    for value in values:
        offsets.append(None if value is None else len(keys))
        if value:
            keys += value
            items += value.values()
    offsets.append(len(keys))
    return pa.MapArray.from_arrays(
        pa.array(offsets, pa.int32()), pa.array(keys, of.key_type), pa.array(items, of.item_type), of
    )
