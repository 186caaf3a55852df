"""The doctor on the template as it is deployed: all is well, and every fault that is planted is found by its name."""

import pytest

from pipeline.aws.doctor.checks import LINKS
from tests.acceptance.doctor import (
    injected_feedback_faults,
    injected_log_faults,
    injected_monitoring_faults,
    injected_ses_faults,
    injected_table_faults,
)
from tests.acceptance.doctor.deployment_fixture import Patient, found, names
from tests.acceptance.doctor.fault_injection import Plant, mended

pytestmark = pytest.mark.slow

PLANTS = (
    *injected_ses_faults.PLANTS,
    *injected_log_faults.PLANTS,
    *injected_feedback_faults.PLANTS,
    *injected_table_faults.PLANTS,
    *injected_monitoring_faults.PLANTS,
)

# What the emulator answers whatever is done: that SES's account keeps no list, and that no identity has a set.
EMULATOR_CANNOT_KNOW = {"account_list_off", "identity_without_set"}


def test_a_fresh_deployment_is_well(patient: Patient) -> None:
    assert names(patient.deployment()) == EMULATOR_CANNOT_KNOW


@pytest.mark.parametrize("plant", PLANTS, ids=[plant.finding for plant in PLANTS])
def test_a_fault_is_found_by_its_name_and_mended_as_told(patient: Patient, plant: Plant) -> None:
    """Nothing but what was planted is found, at its own link, and what the doctor says mends it does."""
    mend = plant.by(patient)
    seen = found(patient.deployment())
    try:
        assert {finding.name for _, finding in seen} - EMULATOR_CANNOT_KNOW == {plant.finding} | plant.besides
        [(link, finding)] = [(link, finding) for link, finding in seen if finding.name == plant.finding]
        assert link == plant.link
        assert finding.mending
    finally:
        mended(patient, mend, next((each.mending for _, each in seen if each.name == plant.finding), ""))
    links = tuple(link for link in LINKS if link.name == plant.link)
    assert names(patient.deployment(), links) == set()
