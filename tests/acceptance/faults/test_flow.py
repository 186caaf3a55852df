"""The whole flow under faults: whatever happens on the way, nothing is lost, and log and table agree at the end."""

from collections import Counter
from collections.abc import Iterator

import pytest
from moto import mock_aws

from pipeline.replay import store_digest
from tests.acceptance.faults.flow import Flow
from tests.acceptance.faults.injection import BY_AWS, BY_THE_MACHINE

STEPS = 150
SEEDS = range(3)
SOAK_SEEDS = range(100, 300)
LOST = "facts were lost on the way to the table"
OTHERS = {
    LOST,
    *("timed out after the effect", "clock jumped"),
    *("the response of the projector is lost", "the response of the transform is lost"),
}


@pytest.fixture(scope="module")
def injected() -> Counter[str]:
    """Count the faults of all tests of this file."""
    return Counter()


@pytest.fixture
def flow(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, injected: Counter[str]) -> Iterator[Flow]:
    with mock_aws():
        flow = Flow(request.param, monkeypatch)
        yield flow
        flow.close()
        injected += flow.faults.injected


@pytest.mark.slow
@pytest.mark.parametrize("flow", SEEDS, indirect=True)
def test_faults_at_every_boundary_lose_nothing(flow: Flow) -> None:
    """The table holds all that was delivered, and the log every event. Poison alone is quarantined.

    Once the table is reconciled, log, table and oracle have one digest.
    """
    flow.run(STEPS)
    flow.heal()
    assert flow.discarded == 0
    assert store_digest(flow.live) == flow.delivered.digest()
    flow.faults.injected[LOST] += flow.delivered.digest() != flow.oracle.digest()
    flow.reconcile()
    assert flow.quarantined() == flow.poison
    assert len(flow.logged_event_ids()) == flow.oracle.events_by_kind().total()
    assert store_digest(flow.live) == flow.rebuilt_digest() == flow.oracle.digest()


@pytest.mark.slow
def test_every_kind_of_fault_was_injected(injected: Counter[str]) -> None:
    """Otherwise the test above shows less than it says."""
    assert set(+injected) == {*BY_AWS, *BY_THE_MACHINE, *OTHERS}


@pytest.mark.soak
@pytest.mark.parametrize("flow", SOAK_SEEDS, indirect=True)
def test_faults_of_many_seeds_lose_nothing(flow: Flow) -> None:
    """The same with other mails, in other orders, and with other faults."""
    test_faults_at_every_boundary_lose_nothing(flow)
