"""A finding: one observation about a deployment, as a sentence for people and a name for programs.

A remedy is a command wherever one exists, because the tests run it to prove that it corrects the problem.
"""

from enum import StrEnum

import msgspec


class Severity(StrEnum):
    """How bad a finding is."""

    OK = "ok"
    WARNING = "warning"  # it works, but needs attention or a decision
    ERROR = "error"  # events are lost, delayed or unprotected, or will be
    UNKNOWN = "unknown"  # it could not be checked, which never counts as OK


class Finding(msgspec.Struct, frozen=True, kw_only=True):
    """One observation.

    Attributes:
        severity: How bad it is.
        name: A stable name for programs: `destination_disabled`. "" for OK.
        message: One sentence: what is wrong and what it causes.
        remedy: How to correct it, most often a command. "" for OK.
    """

    severity: Severity
    name: str
    message: str
    remedy: str = ""


def ok(message: str) -> Finding:
    """Return a finding that reports no problem."""
    return Finding(severity=Severity.OK, name="", message=message)


def warning(name: str, message: str, *, remedy: str = "") -> Finding:
    """Return a warning."""
    return Finding(severity=Severity.WARNING, name=name, message=message, remedy=remedy)


def error(name: str, message: str, *, remedy: str = "") -> Finding:
    """Return an error."""
    return Finding(severity=Severity.ERROR, name=name, message=message, remedy=remedy)


def unknown(name: str, message: str, *, remedy: str = "") -> Finding:
    """Return a finding that reports an incomplete check."""
    return Finding(severity=Severity.UNKNOWN, name=name, message=message, remedy=remedy)


def restore(logical_id: str) -> str:
    """Return the remedy for a resource that was changed or deleted by hand: no single command restores it."""
    return f"restore it as infra/mailfold.yaml defines it under {logical_id}"
