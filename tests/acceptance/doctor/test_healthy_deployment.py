"""Tests of the doctor on the template as deployed: a healthy deployment, and one fault after another."""

import pytest

from tests.acceptance.doctor import (
    injected_feedback_faults,
    injected_log_faults,
    injected_monitoring_faults,
    injected_ses_faults,
    injected_table_faults,
)
from tests.acceptance.doctor.deployment_fixture import DeploymentFixture, checks_named, find_names, find_problems
from tests.acceptance.doctor.fault_injection import Fault, heal_fault

pytestmark = pytest.mark.slow

FAULTS = (
    *injected_ses_faults.FAULTS,
    *injected_log_faults.FAULTS,
    *injected_feedback_faults.FAULTS,
    *injected_table_faults.FAULTS,
    *injected_monitoring_faults.FAULTS,
)

# The emulator always answers that the account list is off, that no identity has a default configuration set, and that a
# mapping publishes no metrics.
EMULATOR_LIMITS = {"account_list_off", "identity_without_set", "mapping_without_metrics"}


def test_fresh_deployment_is_healthy(deployed: DeploymentFixture) -> None:
    """A deployment of the packaged template has no problem, except for the emulator's limits."""
    assert find_names(deployed.deployment()) == EMULATOR_LIMITS


@pytest.mark.parametrize("fault", FAULTS, ids=[fault.finding for fault in FAULTS])
def test_fault_is_found_and_its_remedy_heals_it(deployed: DeploymentFixture, fault: Fault) -> None:
    """Exactly the injected fault is found, by the right check, and the remedy removes the finding."""
    heal = fault.inject(deployed)
    problems = find_problems(deployed.deployment())
    try:
        assert {finding.name for _, finding in problems} - EMULATOR_LIMITS == {fault.finding} | fault.side_effects
        [(check, finding)] = [(check, finding) for check, finding in problems if finding.name == fault.finding]
        assert check == fault.check
        assert finding.remedy
    finally:
        remedies = (finding.remedy for _, finding in problems if finding.name == fault.finding)
        heal_fault(deployed, heal, next(remedies, ""))
    assert find_names(deployed.deployment(), checks_named(fault.check)) <= EMULATOR_LIMITS
