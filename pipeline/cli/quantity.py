"""A number of bytes, as people write it."""

import re

from pipeline.errors import Misuse

_UNITS = {
    "": 1,
    **{f"{letter}B": 1_000**power for power, letter in enumerate(("", "K", "M", "G", "T"))},
    **{f"{letter}IB": 1_024**power for power, letter in enumerate(("K", "M", "G", "T"), start=1)},
}
_FORM = re.compile(r"(\d+(?:\.\d+)?) *([A-Za-z]{0,3})", re.ASCII)


def quantity(text: str) -> int:
    """Return how many bytes 500MB, 1.5 GB or 2GiB are; without a unit, bytes.

    Raises:
        Misuse: It is no such number.
    """
    found = _FORM.fullmatch(text.strip())
    unit = _UNITS.get(found[2].upper()) if found else None
    if not found or unit is None:
        raise Misuse(f"not a number of bytes: {text!r}; write it like 500MB, 10GB or 2GiB")
    return int(float(found[1]) * unit)
