"""A digest of all facts in a table: the same facts have the same digest in any order.

An item is hashed by SHA-256 over its address, its scope and every field of every fact that it keeps, each as its length
in code points, ":" and its text. Facts are in ascending order of these texts. The eight 32-bit words of the hashes are
summed over all items, each modulo 2³². Addition is commutative, so no order is needed, and SQL can compute it. Equal
digests prove equal facts once both tables are at rest, and so equal verdicts under one policy. Pure.
"""

from collections.abc import Iterable
from hashlib import sha256
from struct import pack, unpack

import msgspec

from pipeline.standing import Key, Standing, kept_facts

WORDS = 8
_MODULUS = 1 << 32


def digest(standings: Iterable[tuple[Key, Standing]]) -> str:
    """Return the digest of a table as 64 hex digits; items without facts do not count."""
    total = DigestSum()
    for key, standing in standings:
        total.add(key, standing)
    return total.hex()


class DigestSum:
    """The digest of the items that were added so far."""

    def __init__(self) -> None:
        self._sums = [0] * WORDS

    def add(self, key: Key, standing: Standing) -> None:
        """Add an item."""
        if facts := sorted(_text(kind, *msgspec.structs.astuple(evidence)) for kind, evidence in kept_facts(standing)):
            words = unpack(">8I", sha256("".join((_text(*key), *facts)).encode()).digest())
            self._sums = [(total + word) % _MODULUS for total, word in zip(self._sums, words, strict=True)]

    def hex(self) -> str:
        """Return the digest as 64 hex digits."""
        return pack(">8I", *self._sums).hex()


def _text(*parts: object) -> str:
    """Return the parts, each with its length, so that two different lists never have the same text."""
    return "".join(f"{len(text)}:{text}" for text in map(str, parts))
