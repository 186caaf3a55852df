"""A rebuild: nothing is lost at any step, under live traffic, and the live table answers throughout."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

import pytest
from moto import mock_aws

from pipeline.aws.rebuild_proof import UnloggedFacts
from pipeline.aws.stack import SuppressionTables
from pipeline.policy import Policy
from pipeline.rebuild import RebuildStep
from tests.support.rebuild_scenario import KNOWN_AFTER, NEW, OLD, PEOPLE, RebuildScenario, a_bounce_of
from tests.support.rows import a_row


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


def test_a_rebuilt_table_is_proved_and_becomes_the_live_one(scenario: RebuildScenario) -> None:
    """Its digest is that of the log. The old table is written too from then on, for a rollback."""
    comparison = rebuild_and_flip(scenario)

    assert comparison.log_digest == comparison.new_digest == comparison.live_digest == scenario.oracle
    assert (comparison.addresses, comparison.disappearing, comparison.appearing) == (len(PEOPLE), {}, {})
    assert scenario.tables == SuppressionTables(live=NEW, shadow_tables=(OLD,))
    assert scenario.live_digest == scenario.oracle


def test_a_rebuild_makes_no_more_writes_than_there_are_addresses(scenario: RebuildScenario) -> None:
    """Each item of the new table is put once, and none of the live one."""
    scenario.publish(*(a_bounce_of(person, 1) for person in PEOPLE))

    rebuild_and_flip(scenario)

    assert scenario.puts == {NEW: len(PEOPLE)}


def test_a_fact_that_the_log_does_not_state_any_more_disappears(scenario: RebuildScenario) -> None:
    """As after a correction of the decoder: the event is in the log, and states nothing about the address."""
    mistaken = a_bounce_of("mistaken@example.com")
    scenario.project(mistaken)
    scenario.archive.append([a_row(mistaken, facts=())])

    comparison = rebuild_and_flip(scenario)

    assert (comparison.disappearing, comparison.appearing) == ({"hard": 1}, {})
    assert scenario.live_digest == scenario.oracle != comparison.live_digest


def test_an_event_accepted_but_not_yet_visible_in_the_log_is_not_lost(scenario: RebuildScenario) -> None:
    """The race that other rebuilders publish as known: the rebuild sees nothing new in the log, and waits.

    The event is in the live table alone, because its projector did not know the new one, and Firehose still buffers it.
    """
    late = a_bounce_of("late@example.com")
    scenario.publish(late, logged=False)

    def deliver_after_20_minutes() -> None:
        if scenario.now - begun_at > timedelta(minutes=20):
            scenario.log(late)
            scenario.on_wait = lambda: None

    begun_at, scenario.on_wait = scenario.now, deliver_after_20_minutes
    comparison = rebuild_and_flip(scenario)

    assert scenario.now - begun_at > timedelta(minutes=20)
    assert comparison.disappearing == {}
    assert scenario.live_digest == scenario.oracle


def test_no_flip_while_the_log_lacks_an_event_of_the_live_table(scenario: RebuildScenario) -> None:
    """It says how many, and leaves the live table as it was. Once the log has the event, it goes on."""
    late = a_bounce_of("late@example.com")
    scenario.publish(late, logged=False)

    with pytest.raises(UnloggedFacts, match="1 address has facts"):
        rebuild_and_flip(scenario)
    assert (scenario.tables.live, scenario.live_digest) == (OLD, scenario.oracle)

    scenario.log(late)
    with scenario.rebuilder() as rebuilder:
        rebuilder.prepare()
        rebuilder.flip()
    assert (scenario.tables.live, scenario.live_digest) == (NEW, scenario.oracle)


def test_an_event_that_becomes_visible_during_the_search_is_no_correction(scenario: RebuildScenario) -> None:
    """The log is read for the event and for its facts at once."""
    late = a_bounce_of("late@example.com")
    scenario.publish(late, logged=False)
    scan_events = scenario.archive.scan_events

    def scan_late(*args: Any, **options: Any) -> Any:
        scenario.log(late)
        return scan_events(*args, **options)

    scenario.archive.scan_events = scan_late  # type: ignore[method-assign]  # one call is observed
    comparison = rebuild_and_flip(scenario)

    assert comparison.disappearing == {}
    assert scenario.live_digest == scenario.oracle


def test_facts_without_an_event_in_the_log_disappear_only_by_request(scenario: RebuildScenario) -> None:
    """As after an erasure."""
    scenario.project(a_bounce_of("erased@example.com"))

    comparison = rebuild_and_flip(scenario, drop_unlogged=True)

    assert comparison.disappearing == {"hard": 1}
    assert scenario.live_digest == scenario.oracle


def test_traffic_at_every_step_is_in_both_tables(scenario: RebuildScenario) -> None:
    """Also of projectors that know the new table late, or learn late that it is the live one."""
    stale, numbers = scenario.a_projector(), iter(count(100))
    stale.projector()
    hold = scenario.now + KNOWN_AFTER

    def traffic() -> None:
        payload = a_bounce_of(PEOPLE[0], next(numbers))
        scenario.publish(payload, projected=False)
        if next(numbers) % 2:
            scenario.project(payload, projector=None if scenario.now > hold else stale)
        else:
            scenario.project(payload)

    scenario.on_wait = traffic
    with scenario.rebuilder(scenario.a_rebuild()) as rebuilder:
        traffic()
        rebuilder.prepare()
        traffic()
        rebuilder.flip()
        traffic()
    assert scenario.live_digest == scenario.digest(OLD) == scenario.oracle


def test_a_rollback_loses_nothing_and_can_be_repeated(scenario: RebuildScenario) -> None:
    """What came after the flip is in the old table too."""
    rebuild_and_flip(scenario)
    scenario.publish(a_bounce_of("after@example.com"))
    with scenario.rebuilder() as rebuilder:
        rebuilder.roll_back()
    assert scenario.tables == SuppressionTables(live=OLD, shadow_tables=(NEW,))
    scenario.publish(a_bounce_of("later@example.com"))
    assert scenario.digest(OLD) == scenario.digest(NEW) == scenario.oracle

    with scenario.rebuilder() as rebuilder:
        rebuilder.prepare()
        rebuilder.flip()
    assert (scenario.tables.live, scenario.live_digest) == (NEW, scenario.oracle)


@pytest.mark.parametrize(("delete_old", "tables"), [(False, [OLD, NEW]), (True, [NEW])], ids=["keep", "delete"])
def test_a_finished_rebuild_writes_the_new_table_alone(
    delete_old: bool, tables: list[str], scenario: RebuildScenario
) -> None:
    """The old table remains, unless it is to be deleted: then once no projector writes to it."""
    rebuild_and_flip(scenario)
    before = scenario.now
    with scenario.rebuilder() as rebuilder:
        rebuilder.finish(delete_old=delete_old)

    assert (scenario.tables, scenario.table_names) == (SuppressionTables(live=NEW), tables)
    assert (scenario.now - before >= KNOWN_AFTER) == delete_old
    assert scenario.state.read() is None


def test_a_cancelled_rebuild_leaves_the_live_table_as_it_was(scenario: RebuildScenario) -> None:
    """The new table is deleted once no projector writes to it, and the next rebuild works."""
    with scenario.rebuilder(scenario.a_rebuild()) as rebuilder:
        rebuilder.prepare()
    with scenario.rebuilder() as rebuilder:
        rebuilder.cancel()

    assert (scenario.tables, scenario.table_names) == (SuppressionTables(live=OLD), [OLD])
    assert scenario.live_digest == scenario.oracle
    rebuild_and_flip(scenario)
    assert (scenario.tables.live, scenario.live_digest) == (NEW, scenario.oracle)


def test_a_policy_is_in_force_from_the_flip_on(scenario: RebuildScenario) -> None:
    """Each table keeps its own policy, so that projectors of either can write both, and a rollback is possible."""
    newer = Policy(version=2, hard=None)
    with scenario.rebuilder(scenario.a_rebuild(policy=newer, old_policy=Policy())) as rebuilder:
        rebuilder.prepare()
        scenario.publish(a_bounce_of("before@example.com"))
        assert policies(scenario) == ({1}, {2})
        rebuilder.flip()
    scenario.publish(a_bounce_of("stale@example.com"))  # a projector that has not read the parameter again
    scenario.now += KNOWN_AFTER
    scenario.publish(a_bounce_of("after@example.com"))
    assert scenario.tables.policy == newer
    assert policies(scenario) == ({1}, {2})
    with scenario.rebuilder() as rebuilder:
        rebuilder.roll_back()
    scenario.now += KNOWN_AFTER
    scenario.publish(a_bounce_of("rolled-back@example.com"))

    assert policies(scenario) == ({1}, {2})
    assert scenario.digest(OLD) == scenario.digest(NEW) == scenario.oracle


def policies(scenario: RebuildScenario) -> tuple[set[int], ...]:
    """Return the policy versions of the items of the old and the new table."""
    return tuple({item.policy_version for _, item in scenario.store(table).scan()} for table in (OLD, NEW))


def test_a_rebuild_is_silent(scenario: RebuildScenario) -> None:
    """No service is called but those of log, tables, pointer and alarms: what the old table said is not said again."""
    with scenario.rebuilder(scenario.a_rebuild()) as rebuilder:
        rebuilder.prepare()
        rebuilder.flip()
        used = set(vars(rebuilder._clients)) - {"_create"}
    assert used == {"cloudwatch", "dynamodb", "s3", "ssm"}


def test_progress_is_reported_at_each_step(scenario: RebuildScenario) -> None:
    """What is done, how far it is, and how long it waits."""
    lines: list[str] = []
    rebuild_and_flip(scenario, report=lines.append)

    beginnings = ("creating the table", "folding the log: 5 addresses, 5 items", "waiting 480 s until", "comparing: 5")
    for beginning in beginnings:
        assert any(line.startswith(beginning) for line in lines), beginning


def test_the_step_is_kept(scenario: RebuildScenario) -> None:
    """So that the next process goes on there."""
    rebuild_and_flip(scenario)
    stored = scenario.state.read()
    assert stored
    assert stored.rebuild.step is RebuildStep.FLIPPED
    assert stored.rebuild.position == scenario.now


def test_an_event_that_reaches_the_log_alone_is_in_the_new_table(scenario: RebuildScenario) -> None:
    """EventBridge lost it, and the live table lacks it. The comparison finds it, and everything is compared again."""
    lost = a_bounce_of("lost@example.com")

    def report(line: str) -> None:
        if line.startswith("comparing log") and lost not in scenario.accepted:
            scenario.publish(lost, projected=False)

    comparison = rebuild_and_flip(scenario, report=report)

    assert (comparison.appearing, comparison.log_digest) == ({"hard": 1}, scenario.oracle)
    assert scenario.live_digest == scenario.oracle
