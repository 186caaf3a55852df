"""A digest of all facts in a table: the same facts have the same digest in any order.

An item is hashed by SHA-256 over its address and scope, each with its length, and one line for each fact. The line has
the kind, time and event. The eight 32-bit words of these hashes are summed over all items, each modulo 2³². Addition is
commutative, so no order is needed, and SQL can compute it. Equal digests prove equal facts once both tables are at
rest. Policy and verdict are not included. Pure.
"""

from collections.abc import Iterable
from hashlib import sha256
from struct import pack, unpack

from pipeline.standing import Key, Standing, kept_facts

WORDS = 8
_MODULUS = 1 << 32


def digest(standings: Iterable[tuple[Key, Standing]]) -> str:
    """Return the digest of a table as 64 hex digits; items without facts do not count."""
    sums = [0] * WORDS
    for key, standing in standings:
        if lines := _lines(standing):
            name = (f"{len(key.address)} {key.address}", f"{len(key.scope)} {key.scope}")
            words = unpack(">8I", sha256("\n".join((*name, *lines)).encode()).digest())
            sums = [(total + word) % _MODULUS for total, word in zip(sums, words, strict=True)]
    return pack(">8I", *sums).hex()


def _lines(standing: Standing) -> list[str]:
    return sorted(f"{kind} {evidence.at_ms} {evidence.event_id}" for kind, evidence in kept_facts(standing))
