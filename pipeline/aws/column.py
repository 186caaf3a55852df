"""Columns in the making: values in a few at a time, an Arrow array out, in another order if need be.

Where time goes is odd here. An Arrow array has a price of its own, some 3 µs, so most columns gather a thousand values
first. But mappings are dozens of small objects each: while they are kept, they push all else out of the processor's
cache, and Python's garbage collector walks through them again and again; so they become Arrow's at once. Raw text is
most of all bytes: sorted in Arrow's form it would be copied three times, and every copy is fresh memory; so it stays
Python's until its order is known.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import pyarrow as pa
from msgspec.structs import asdict

VALUES_PER_ARRAY = 1_000


class Column(Protocol):
    """A column in the making."""

    def add(self, values: Sequence[Any], /) -> None:
        """Take the next values, as `pipeline.row.Row` has them; an empty tuple becomes null."""
        ...

    def array(self, order: Any = None, /) -> Any:
        """Return all the values as an Arrow chunked array; `order`, if given, are their indices as they shall be."""
        ...


def column(field: Any) -> Column:
    """Return an empty column for an Arrow field."""
    return _Texts(field.type) if field.name == "raw" else _Values(field.type)


class _Values:
    """Values that become Arrow's as soon as there are enough of them."""

    def __init__(self, of: Any) -> None:
        self._type = of
        self._array = _maker(of)
        self._values_per_array = 1 if pa.types.is_map(of) else VALUES_PER_ARRAY
        self._values: list[Any] = []
        self._arrays: list[Any] = []

    def add(self, values: Sequence[Any], /) -> None:
        self._values += values
        if len(self._values) >= self._values_per_array:
            self._turn()

    def array(self, order: Any = None, /) -> Any:
        if self._values:
            self._turn()
        whole = pa.chunked_array(self._arrays, self._type)
        return whole if order is None else whole.take(order)

    def _turn(self) -> None:
        self._arrays.append(self._array(self._values))
        self._values = []


class _Texts:
    """Long texts, which become Arrow's at last."""

    def __init__(self, of: Any) -> None:
        self._type = of
        self._values: list[str] = []

    def add(self, values: Sequence[str], /) -> None:
        self._values += values

    def array(self, order: Any = None, /) -> Any:
        values = self._values if order is None else [self._values[index] for index in order.to_pylist()]
        starts = range(0, len(values), VALUES_PER_ARRAY)
        return pa.chunked_array([pa.array(values[s : s + VALUES_PER_ARRAY], self._type) for s in starts], self._type)


def _maker(of: Any) -> Callable[[Sequence[Any]], Any]:
    if pa.types.is_map(of):
        return lambda values: _maps(values, of)
    if not pa.types.is_list(of):
        return lambda values: pa.array(values, of)
    if pa.types.is_struct(of.value_type):
        return lambda values: pa.array([list(map(asdict, value)) if value else None for value in values], of)
    return lambda values: pa.array([value or None for value in values], of)


def _maps(values: Sequence[Mapping[str, Sequence[str]] | None], of: Any) -> Any:
    """Return mappings as an Arrow array; flattened here, since Arrow would want pairs, which are more objects yet."""
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
