"""A number for a whole table, the same for the same facts in any order.

Per item: SHA-256 over its address and its scope, each with its length, and a line for each fact with its time and
event. Its eight 32-bit words are summed over all items, each modulo 2³². Addition is commutative: no order is
needed, and SQL can do it. Equal digests prove equal facts, once both sides are at rest. Policy and verdict are not
in it. Pure.
"""

from collections.abc import Iterable
from hashlib import sha256
from struct import pack, unpack

from pipeline.standing import Key, Standing, kept_facts

WORDS = 8
_WORD = 1 << 32


def digest(standings: Iterable[tuple[Key, Standing]]) -> str:
    """Return the digest of a table as 64 hex digits; items that know nothing do not count."""
    sums = [0] * WORDS
    for key, known in standings:
        if lines := _lines(known):
            named = (f"{len(key.address)} {key.address}", f"{len(key.scope)} {key.scope}")
            words = unpack(">8I", sha256("\n".join((*named, *lines)).encode()).digest())
            sums = [(total + word) % _WORD for total, word in zip(sums, words, strict=True)]
    return pack(">8I", *sums).hex()


def _lines(known: Standing) -> list[str]:
    return sorted(f"{fact} {evidence.at_ms} {evidence.event_id}" for fact, evidence in kept_facts(known))
