"""Every alarm of the template is played against the failure that it reports, and against healthy deployments."""

from itertools import product, takewhile
from typing import Any

import pytest

from tests.infra.alarm_case import DIRECT, NOON, QUEUE, AlarmCase
from tests.infra.alarm_table import CASES, HEADER, lines
from tests.infra.healthy_metrics import HEALTHY, QUIET
from tests.support.alarm_state import AlarmState, breaches, play, queries
from tests.support.cloudformation import CONSUMERS, FILE, consumed_by, template
from tests.support.metric_history import MINUTES, changed

# AWS does not document how many more periods CloudWatch retrieves than an alarm evaluates. No alarm depends on it.
EXTRA_PERIODS = (0, 2, 4)


def variants() -> dict[str, Any]:
    """Return every alarm of the template. One whose properties depend on the consumer is there for each."""
    alarms: dict[str, Any] = {}
    for consumer, topic in product(CONSUMERS, (QUEUE, DIRECT)):
        for name, alarm in consumed_by(consumer, **topic).of_type("AWS::CloudWatch::Alarm").items():
            if alarm not in alarms.values():
                alarms[f"{name}, {consumer}" if name in alarms else name] = alarm
    return alarms


VARIANTS = variants()
REDRIVEN = [case for case in CASES if "quarantine redrive" in case.properties["AlarmDescription"]]


def test_every_alarm_has_a_failure() -> None:
    """An alarm without a case is not known to ring."""
    alarms = {name for name, entry in template()["Resources"].items() if entry["Type"] == "AWS::CloudWatch::Alarm"}
    assert {case.alarm for case in CASES} == alarms


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.alarm}: {case.failure}")
def test_an_alarm_rings_for_its_failure(case: AlarmCase) -> None:
    """The alarm is silent until the failure begins, and in the state ALARM within the stated time."""
    alarm = case.properties
    breaching = breaches(alarm, case.history, minutes=MINUTES)
    for extra_periods in EXTRA_PERIODS:
        states = play(alarm, breaching, extra_periods=extra_periods)
        assert AlarmState.ALARM not in {state for minute, state in states.items() if minute <= NOON}
        assert AlarmState.ALARM in {states[minute] for minute in range(NOON, NOON + case.minutes + 1)}


@pytest.mark.parametrize("case", REDRIVEN, ids=lambda case: case.alarm)
def test_a_redrive_ends_the_alarm(case: AlarmCase) -> None:
    """Once the queue is empty, or no further record fails, the alarm is over within an hour, and stays so."""
    evening = 18 * 60
    healthy = {
        metric: {minute: value for minute, value in QUIET.get(metric, {}).items() if minute >= evening}
        for metric in case.history
    }
    history = changed(case.history, since=evening, by=healthy)
    breaching = breaches(case.properties, history, minutes=MINUTES)
    for extra_periods in EXTRA_PERIODS:
        states = play(case.properties, breaching, extra_periods=extra_periods)
        assert AlarmState.ALARM in states.values()
        assert AlarmState.ALARM not in {state for minute, state in states.items() if minute > evening + 60}


@pytest.mark.parametrize("deployment", HEALTHY)
@pytest.mark.parametrize("name", VARIANTS)
def test_an_alarm_is_silent_in_a_healthy_deployment(name: str, deployment: str) -> None:
    """No alarm rings in a deployment without mail, with little mail, or with much."""
    breaching = breaches(VARIANTS[name], HEALTHY[deployment], minutes=MINUTES)
    for extra_periods in EXTRA_PERIODS:
        assert AlarmState.ALARM not in play(VARIANTS[name], breaching, extra_periods=extra_periods).values()


def test_every_watched_metric_is_in_a_history() -> None:
    """The metrics of the cases are those of the alarms, so that no alarm is silent for a wrong dimension."""
    watched = {query.metric for alarm in VARIANTS.values() for query in queries(alarm).values()}
    known = {metric for history in (*HEALTHY.values(), *(case.history for case in CASES)) for metric in history}
    assert watched <= known


def test_the_readme_has_the_table_of_alarms() -> None:
    """infra/README.md has exactly the rows that `python -m tests.infra.alarm_table` prints."""
    readme = FILE.with_name("README.md").read_text(encoding="utf-8").splitlines()
    start = readme.index(HEADER[0])
    assert [*takewhile(lambda line: line.startswith("|"), readme[start:])] == list(lines())
