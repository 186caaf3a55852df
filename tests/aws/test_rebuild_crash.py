"""One rebuild at a time, and a crash at any call: the live table is complete, and the next process goes on."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from moto import mock_aws

from pipeline.aws.rebuild_state import LEASE
from pipeline.aws.stack import SuppressionTables
from pipeline.errors import UsageError
from tests.support.rebuild_scenario import NEW, OLD, PEOPLE, Killed, RebuildScenario, a_bounce_of


@pytest.fixture
def scenario() -> Iterator[RebuildScenario]:
    """A deployment whose log and table have one bounce of each person."""
    with mock_aws():
        scenario = RebuildScenario()
        scenario.publish(*map(a_bounce_of, PEOPLE))
        yield scenario


def rebuild_and_flip(scenario: RebuildScenario, **options: Any) -> Any:
    with scenario.rebuilder(scenario.a_rebuild(), **options) as rebuilder:
        proof = rebuilder.prepare()
        rebuilder.flip()
    return proof.comparison


def test_a_second_rebuild_is_refused_and_told_who_holds_the_first(scenario: RebuildScenario) -> None:
    """And since when, and how far it is."""
    with (
        scenario.rebuilder(scenario.a_rebuild()),
        pytest.raises(UsageError) as refused,
        scenario.rebuilder(scenario.a_rebuild(holder="bob on host-2 (process 2)", new_table="mail-suppression-3")),
    ):
        pytest.fail("it began")
    assert str(refused.value).startswith(
        "one rebuild at a time: ann on host-1 (process 1) rebuilds mail-suppression-1 into mail-suppression-2 since "
        "2026-03-01T13:00:02.000Z, at the step create"
    )


def test_a_killed_rebuild_is_taken_over_once_its_lease_has_ended(scenario: RebuildScenario) -> None:
    """Before, its holder might still run. One that took it over is not disturbed by the one that was dead."""
    scenario.kill_at = 8
    with pytest.raises(Killed):
        rebuild_and_flip(scenario)
    scenario.kill_at = None
    with pytest.raises(UsageError, match="its lease ends at 2026-03-01T13:02:02"), scenario.rebuilder():
        pytest.fail("it was taken over")

    scenario.now += LEASE
    with scenario.rebuilder() as rebuilder:
        rebuilder.prepare()
    assert scenario.tables == SuppressionTables(live=OLD, shadow_tables=(NEW,))


def test_a_holder_that_lost_its_rebuild_changes_nothing_more(scenario: RebuildScenario) -> None:
    """It was suspended longer than its lease, and another process has taken the rebuild over."""
    with scenario.rebuilder(scenario.a_rebuild()) as suspended:
        suspended.prepare()
        scenario.now += 2 * LEASE
        with scenario.rebuilder():
            pass
        with pytest.raises(UsageError, match="another process has taken this rebuild over"):
            suspended.flip()
    assert scenario.tables.live == OLD


def test_a_crash_at_any_call_leaves_a_complete_live_table(scenario: RebuildScenario) -> None:
    """The process is killed at its first call, its second, and so on, and each time another takes over."""
    kills = 0
    scenario.on_wait = lambda: scenario.publish(a_bounce_of(PEOPLE[1], 10_000 + kills))
    for call in range(1, 10_000):
        scenario.kill_at, beginning = 6 + call % 9, scenario.state.read() is None
        try:
            with scenario.rebuilder(scenario.a_rebuild() if beginning else None) as rebuilder:
                rebuilder.prepare()
                rebuilder.flip()
                break
        except Killed:
            kills += 1
        scenario.now += LEASE + timedelta(seconds=1)
        assert scenario.live_digest == scenario.oracle
    assert kills > 5
    assert (scenario.tables.live, scenario.live_digest) == (NEW, scenario.oracle)
    assert scenario.digest(OLD) == scenario.oracle


@pytest.mark.parametrize("command", ["resume", "cancel"])
def test_a_crash_at_each_call_can_be_resumed_or_cancelled(command: str, scenario: RebuildScenario) -> None:
    """Whatever the call was, resume completes the rebuild, and cancel leaves the table as it was."""
    scenario.kill_at, call = 1, 1
    while True:
        scenario.kill_at = call
        try:
            with scenario.rebuilder(scenario.a_rebuild()) as rebuilder:
                rebuilder.prepare()
        except Killed:
            pass
        else:
            break
        scenario.kill_at, call = None, call + 3
        scenario.now += LEASE
        assert (scenario.tables.live, scenario.live_digest) == (OLD, scenario.oracle)
        if scenario.state.read() is None:
            continue
        with scenario.rebuilder() as rebuilder:
            if command == "resume":
                rebuilder.prepare()
                assert scenario.digest(NEW) == scenario.oracle
            rebuilder.cancel()
        assert (scenario.tables, scenario.table_names) == (SuppressionTables(live=OLD), [OLD])
    assert call > 20
