"""The fuzzer's target: one process of libFuzzer, which ends at the first input that breaks a law of `decode`.

Usage: python -m tests.fuzz.target [libFuzzer's options] FOLDER. llvm.org/docs/LibFuzzer.html#options
"""

import json
import random
import sys
from zlib import crc32

import atheris

with atheris.instrument_imports(include=["pipeline"]):
    from tests.support.decode_oracle import check_envelopes, check_framing, check_outcomes, check_sibling, check_time

from tests.support.strategies import ODD_VALUES, odd_json, places

ONE_IN = 64  # inputs are repeated to a large one, which takes a hundred times longer
SWAPS = 0.5  # of mutations change a value of the JSON, the others its bytes


def check(payload: bytes) -> None:
    """Check every law of `decode` on one input."""
    if not payload:
        return
    check_outcomes(payload)
    check_envelopes(payload)
    check_framing(payload)
    check_sibling(payload)
    if crc32(payload) % ONE_IN == 0:
        check_time(payload)


def mutate(payload: bytes, max_bytes: int, seed: int) -> bytes:
    """Return a changed input: another value in one place of the JSON, or other bytes."""
    chance = random.Random(seed)  # noqa: S311 - the fuzzer's own seed
    try:
        tree = json.loads(payload)
        holder, key = chance.choice(places(tree))
    except (ValueError, RecursionError, IndexError):
        return bytes(atheris.Mutate(payload, max_bytes))
    if chance.random() > SWAPS:
        return bytes(atheris.Mutate(payload, max_bytes))
    other, source = chance.choice(places(tree))
    holder[key] = chance.choice((*ODD_VALUES, other[source]))
    try:
        changed = odd_json(tree)
    except (ValueError, RecursionError):  # the place now contains itself
        return bytes(atheris.Mutate(payload, max_bytes))
    return changed if len(changed) <= max_bytes else payload


if __name__ == "__main__":
    atheris.Setup(sys.argv, check, custom_mutator=mutate)
    atheris.Fuzz()
