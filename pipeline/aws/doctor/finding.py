"""What is found at a link of the flow, in words for people and a name for programs."""

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """How bad a finding is."""

    GOOD = "good"
    WARNING = "warning"  # it works, and somebody should know or decide
    FAULT = "fault"  # events are lost, held up or not protected, or will be
    UNKNOWN = "unknown"  # it could not be looked at, which is never good


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that is so.

    Attributes:
        severity: How bad it is.
        name: What it is, for programs: `destination_disabled`; "" where all is good.
        words: What it is, in one sentence for people.
        mending: How to mend it: most often a command. "" where there is nothing to mend.
    """

    severity: Severity
    name: str
    words: str
    mending: str = ""


def ok(words: str) -> Finding:
    """Return that all is well, in these words."""
    return Finding(severity=Severity.GOOD, name="", words=words)


def warning(name: str, words: str, *, mending: str = "") -> Finding:
    """Return a warning."""
    return Finding(severity=Severity.WARNING, name=name, words=words, mending=mending)


def error(name: str, words: str, *, mending: str = "") -> Finding:
    """Return a fault."""
    return Finding(severity=Severity.FAULT, name=name, words=words, mending=mending)


def unknown(name: str, words: str, *, mending: str = "") -> Finding:
    """Return that something could not be looked at."""
    return Finding(severity=Severity.UNKNOWN, name=name, words=words, mending=mending)
