"""A change of the tables is one write, and a write of another process at the same time is noticed."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from pipeline.aws.rebuild_tables import cancelled, finished, flipped, rolled_back, shadowed
from pipeline.aws.stack import SuppressionTables
from pipeline.aws.tables_parameter import change_tables
from pipeline.errors import UsageError
from pipeline.policy import Policy
from tests.support.rebuild_scenario import NEW, OLD, PARAMETER, RebuildScenario

LIVE = SuppressionTables(live=OLD)
BOTH = SuppressionTables(live=OLD, shadow_tables=(NEW,))


@pytest.fixture
def scenario() -> Iterator[RebuildScenario]:
    with mock_aws():
        yield RebuildScenario()


def test_a_write_of_another_process_at_the_same_time_is_noticed(scenario: RebuildScenario) -> None:
    """Systems Manager has no conditional write, but it numbers the versions."""
    ssm = scenario.clients.ssm

    def change(_: SuppressionTables) -> SuppressionTables:
        ssm.put_parameter(Name=PARAMETER, Value='{"live":"other"}', Type="String", Overwrite=True)
        return BOTH

    with pytest.raises(UsageError, match=f"the parameter {PARAMETER} was changed at the same time"):
        change_tables(ssm, parameter=PARAMETER, default=LIVE, change=change)


def test_tables_that_do_not_change_are_not_written(scenario: RebuildScenario) -> None:
    """A step that is repeated after a crash does nothing."""
    ssm = scenario.clients.ssm
    for _ in range(2):
        assert change_tables(ssm, parameter=PARAMETER, default=LIVE, change=lambda _: BOTH) == BOTH
    assert ssm.get_parameter(Name=PARAMETER)["Parameter"]["Version"] == 2


def test_each_step_may_be_repeated(scenario: RebuildScenario) -> None:
    """And undone, whichever policy each table has."""
    for policy in (None, Policy(version=2)):
        rebuild = scenario.a_rebuild(policy=policy, old_policy=Policy())
        tables = LIVE
        for step in (shadowed, flipped, rolled_back, flipped, finished):
            tables = step(tables, rebuild)
            assert step(tables, rebuild) == tables
        assert tables == SuppressionTables(live=NEW, policy=policy)
        assert cancelled(shadowed(LIVE, rebuild), rebuild) == cancelled(LIVE, rebuild) == LIVE


def test_tables_that_another_process_changed_are_left_alone(scenario: RebuildScenario) -> None:
    """Each sentence says what is wrong."""
    rebuild = scenario.a_rebuild()
    for step in (shadowed, flipped, rolled_back, finished):
        with pytest.raises(UsageError, match=r"the live table is other, and not mail-suppression-.: another process"):
            step(SuppressionTables(live="other"), rebuild)
    with pytest.raises(UsageError, match=f"{NEW} is not written any more"):
        flipped(LIVE, rebuild)
    with pytest.raises(UsageError, match=f"{NEW} is the live table: use --rollback first"):
        cancelled(SuppressionTables(live=NEW), rebuild)
    newer = scenario.a_rebuild(policy=Policy(version=2))
    with pytest.raises(UsageError, match="a policy of version 3 was published meanwhile"):
        flipped(SuppressionTables(live=OLD, shadow_tables=(NEW,), policy=Policy(version=3)), newer)
    with pytest.raises(UsageError, match="other tables are written too"):
        shadowed(SuppressionTables(live=OLD, shadow_tables=("more",)), newer)
