"""Columns in the making: values in a few at a time, an Arrow array out.

Lists and mappings are flattened at once into their texts. What is kept until the array is made is then nothing that
Python's garbage collector has to walk through again and again, which would cost more than the array itself.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import accumulate, chain
from typing import Any, Protocol

import pyarrow as pa
from msgspec.structs import asdict


class Column(Protocol):
    """A column in the making."""

    def add(self, values: Sequence[Any], /) -> None:
        """Take the next values, as `pipeline.row.Row` has them."""
        ...

    def array(self) -> Any:
        """Return the values taken so far as an Arrow array, and begin again."""
        ...


def column(of: Any) -> Column:
    """Return an empty column of that Arrow type."""
    if pa.types.is_map(of):
        return _Maps(of)
    if not pa.types.is_list(of):
        return _Plain(of)
    return _Lists(of, items=_structs if pa.types.is_struct(of.value_type) else list)


class _Plain:
    """Values that Arrow takes as they are."""

    def __init__(self, of: Any) -> None:
        self._of = of
        self._values: list[Any] = []

    def add(self, values: Sequence[Any], /) -> None:
        self._values += values

    def array(self) -> Any:
        values, self._values = self._values, []
        return pa.array(values, self._of)


class _Lists:
    """Tuples; an empty one is null."""

    def __init__(self, of: Any, *, items: Callable[[Iterable[Any]], list[Any]]) -> None:
        self._of = of
        self._as_items = items
        self._lengths: list[int] = []
        self._items: list[Any] = []

    def add(self, values: Sequence[Sequence[Any]], /) -> None:
        self._lengths += map(len, values)
        self._items += self._as_items(chain.from_iterable(values))

    def array(self) -> Any:
        lengths, self._lengths = self._lengths, []
        items, self._items = self._items, []
        absent = pa.array([length == 0 for length in lengths], pa.bool_())
        return pa.ListArray.from_arrays(_offsets(lengths), pa.array(items, self._of.value_type), self._of, mask=absent)


class _Maps:
    """Mappings of names to lists of texts; None is null, and an empty one is empty."""

    def __init__(self, of: Any) -> None:
        self._of = of
        self._absent: list[bool] = []
        self._sizes: list[int] = []
        self._keys: list[str] = []
        self._lengths: list[int] = []
        self._items: list[str] = []

    def add(self, values: Sequence[Mapping[str, Sequence[str]] | None], /) -> None:
        lists: list[Sequence[str]] = []
        for value in values:
            self._absent.append(value is None)
            self._sizes.append(len(value) if value else 0)
            if value:
                self._keys += value
                lists += value.values()
        self._lengths += map(len, lists)
        self._items += chain.from_iterable(lists)

    def array(self) -> Any:
        of = self._of
        items = pa.array(self._items, of.item_type.value_type)
        lists = pa.ListArray.from_arrays(_offsets(self._lengths), items, of.item_type)
        keys, absent = pa.array(self._keys, of.key_type), pa.array(self._absent, pa.bool_())
        made = pa.MapArray.from_arrays(_offsets(self._sizes), keys, lists, of, mask=absent)
        for each in (self._absent, self._sizes, self._keys, self._lengths, self._items):
            each.clear()
        return made


def _structs(values: Iterable[Any]) -> list[dict[str, Any]]:
    return list(map(asdict, values))


def _offsets(lengths: Iterable[int]) -> Any:
    return pa.array(list(accumulate(lengths, initial=0)), pa.int32())
