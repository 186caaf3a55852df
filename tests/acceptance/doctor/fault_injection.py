"""A fault that is planted in a deployment, and how it is mended."""

from collections.abc import Callable

import msgspec

from tests.acceptance.doctor.deployment_fixture import Patient
from tests.acceptance.emulators.ministack import REGION
from tests.support.command_line import call

Mend = Callable[[], None]
"""Mends a fault by hand, where the doctor names no command of AWS's."""


class Plant(msgspec.Struct, frozen=True, kw_only=True):
    """A fault.

    Attributes:
        finding: The name of what the doctor must find.
        link: Where.
        by: Plants it, and returns what mends it; None: the command that the doctor tells must do.
        besides: What else comes of it.
    """

    finding: str
    link: str
    by: Callable[[Patient], Mend | None]
    besides: frozenset[str] = frozenset()


def mended(patient: Patient, mend: Mend | None, mending: str) -> None:
    """Mend a fault, by the command that the doctor tells where it tells one."""
    if mend is not None:
        mend()
    elif mending:
        told = call(mending)
        assert told.region == REGION
        told.make(patient.client(told.service))
