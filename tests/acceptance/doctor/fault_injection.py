"""A fault that is injected into a deployment, and how it is healed."""

from collections.abc import Callable

import msgspec

from tests.acceptance.doctor.deployment_fixture import DeploymentFixture
from tests.acceptance.emulators.ministack import REGION
from tests.support.command_line import call

Heal = Callable[[], None]
"""Heals a fault by hand, where the doctor names no AWS CLI command."""


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """A fault.

    Attributes:
        finding: The name of the finding that it must cause.
        check: The check that must find it.
        inject: Injects it and returns what heals it, or None if the doctor's remedy must do so.
        side_effects: The names of other findings that it causes.
    """

    finding: str
    check: str
    inject: Callable[[DeploymentFixture], Heal | None]
    side_effects: frozenset[str] = frozenset()


def heal_fault(fixture: DeploymentFixture, heal: Heal | None, remedy: str) -> None:
    """Heal a fault, with the doctor's remedy unless it has to be healed by hand."""
    if heal is not None:
        heal()
    elif remedy:
        command = call(remedy)
        assert command.region == REGION
        command.make(fixture.client(command.service))
