"""Standings of any number of addresses in bounded memory: what exceeds the bound lies in files, in parts by address.

A part holds every standing of its addresses. A part that is still too large is divided again, by further bits of the
same hash, so the bound holds for any number of addresses. Its files lie in a temporary folder of this user, and are
deleted at the end; see `temporary_folder`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec

from pipeline.address import Address
from pipeline.aws.temporary_folder import temporary_folder
from pipeline.standing import NOTHING_KNOWN, Key, Standing, join

KEYS_HELD = 200_000  # in memory: about 200 MB, with nine facts each
PREFIX = "mailfold-spill-"
PARTS = 256  # one for each value of a byte of the address's hash

Standings = tuple[Standing, ...]
"""The standings of one key, one for each side; `NOTHING_KNOWN` where a side has none."""


class _Entry(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The standing of a key on one side, in a file."""

    side: int
    address: Address
    scope: str
    standing: Standing


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(list[_Entry])
_LENGTH_BYTES = 4  # before each list of entries in a file


class Spill:
    """Joins standings by key, for one side or for several that are compared. A context manager.

    Args:
        sides: The number of sides.
        keys_held: The number of keys in memory, beyond which they are written to files.
    """

    def __init__(self, *, sides: int = 1, keys_held: int = KEYS_HELD) -> None:
        self._sides, self._keys_held = sides, keys_held
        self._folder = temporary_folder(PREFIX)

    def __enter__(self) -> Self:
        """Create the folder."""
        path = self._folder.__enter__()
        self._part = _Part(path, depth=0, sides=self._sides, keys_held=self._keys_held)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Delete the folder."""
        self._folder.__exit__(kind, error, traceback)

    def add(self, standings: Mapping[Key, Standing], *, side: int = 0) -> None:
        """Join these standings into those of one side.

        Raises:
            OSError: The file system is full.
        """
        for key, standing in standings.items():
            self._part.add(side, key, standing)

    def parts(self) -> Iterator[Mapping[Key, Standings]]:
        """Yield the standings of every key, many at a time, each key once. Nothing can be added afterwards."""
        return self._part.parts()


class _Part:
    """The standings of some addresses: in memory, and, once they were too many, in files."""

    def __init__(self, folder: Path, *, depth: int, sides: int, keys_held: int) -> None:
        self._folder, self._depth, self._keys_held = folder, depth, keys_held
        self._nothing = (NOTHING_KNOWN,) * sides
        self._held: dict[Key, Standings] = {}
        self._is_divided = False

    def add(self, side: int, key: Key, standing: Standing) -> None:
        held = self._held.get(key, self._nothing)
        self._held[key] = (*held[:side], join(held[side], standing), *held[side + 1 :])
        # A hash has 32 bytes: what shares them all is one address, whose scopes are few.
        if len(self._held) > self._keys_held and self._depth < sha256().digest_size:
            self._write()

    def parts(self) -> Iterator[Mapping[Key, Standings]]:
        if not self._is_divided:
            yield self._held
            return
        self._write()
        for file in sorted(self._folder.glob("*.part")):
            yield from self._divided(file).parts()

    def _divided(self, file: Path) -> _Part:
        """Return the part that a file holds, and delete the file."""
        folder = file.with_suffix("")
        folder.mkdir()
        part = _Part(folder, depth=self._depth + 1, sides=len(self._nothing), keys_held=self._keys_held)
        with file.open("rb") as stream:
            while length := stream.read(_LENGTH_BYTES):
                for entry in _decoder.decode(stream.read(int.from_bytes(length, "big"))):
                    part.add(entry.side, Key(entry.address, entry.scope), entry.standing)
        file.unlink()
        return part

    def _write(self) -> None:
        """Append what is held to the files of the parts."""
        by_part: dict[int, list[_Entry]] = {}
        for key, standings in self._held.items():
            number = sha256(key.address.encode()).digest()[self._depth]
            by_part.setdefault(number, []).extend(
                _Entry(side, key.address, key.scope, standing)
                for side, standing in enumerate(standings)
                if standing != NOTHING_KNOWN
            )
        for number, entries in by_part.items():
            data = _encoder.encode(entries)
            with (self._folder / f"{number:02x}.part").open("ab") as stream:
                stream.write(len(data).to_bytes(_LENGTH_BYTES, "big") + data)
        self._held, self._is_divided = {}, True
