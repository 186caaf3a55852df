"""The states of alarms, as CloudWatch's guide shows them in its tables of missing data."""

from typing import Any

import pytest

from tests.support.alarm_state import AlarmState, breaches, datapoint, evaluate, play
from tests.support.metric_history import History, a_metric, every
from tests.support.metric_math import calculate

OK, ALARM, RETAINED = AlarmState.OK, AlarmState.ALARM, AlarmState.INSUFFICIENT_DATA
POINTS = {"0": False, "X": True, "-": None}
THREE_OF_THREE, TWO_OF_THREE = {"EvaluationPeriods": 3}, {"EvaluationPeriods": 3, "DatapointsToAlarm": 2}
TREATMENTS = ("ignore", "breaching", "notBreaching")
QUEUE = a_metric("AWS/SQS", "Depth", QueueName="queue")


def an_alarm(**changes: Any) -> dict[str, Any]:
    """Return an alarm on the depth of a queue over 3."""
    return {
        "Namespace": "AWS/SQS",
        "MetricName": "Depth",
        "Dimensions": [{"Name": "QueueName", "Value": "queue"}],
        "Statistic": "Maximum",
        "Period": 300,
        "EvaluationPeriods": 1,
        "Threshold": 3,
        "ComparisonOperator": "GreaterThanThreshold",
        "TreatMissingData": "notBreaching",
        **changes,
    }


# docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-missing-data.html
@pytest.mark.parametrize(
    ("number", "points", "states"),
    [
        (THREE_OF_THREE, "0-X-X", (OK, OK, OK)),
        (THREE_OF_THREE, "----0", (OK, OK, OK)),
        (THREE_OF_THREE, "-----", (RETAINED, ALARM, OK)),
        (THREE_OF_THREE, "0XX-X", (ALARM, ALARM, ALARM)),
        (THREE_OF_THREE, "--X--", (RETAINED, ALARM, OK)),
        (TWO_OF_THREE, "0-X-X", (ALARM, ALARM, ALARM)),
        (TWO_OF_THREE, "00X0X", (ALARM, ALARM, ALARM)),
        (TWO_OF_THREE, "0-X--", (OK, ALARM, OK)),
        (TWO_OF_THREE, "----0", (OK, ALARM, OK)),
        (TWO_OF_THREE, "----X", (RETAINED, ALARM, OK)),
    ],
)
def test_missing_data_is_treated_as_in_the_guide(
    number: dict[str, int], points: str, states: tuple[AlarmState, ...]
) -> None:
    """Each row of the guide's tables gives the state for each treatment."""
    breaching = [POINTS[point] for point in points]
    for treatment, state in zip(TREATMENTS, states, strict=True):
        assert evaluate(an_alarm(TreatMissingData=treatment, **number), breaching, current=RETAINED) is state


@pytest.mark.parametrize(
    ("name", "value"), [("Sum", 12), ("Average", 4), ("Maximum", 7), ("Minimum", 1), ("SampleCount", 3)]
)
def test_a_datapoint_is_the_statistic_of_its_period(name: str, value: float) -> None:
    """Values before and after the period do not count, nor do those of another dimension."""
    other = a_metric("AWS/SQS", "Depth", QueueName="other")
    history: History = {QUEUE: {4: 99, 5: 1, 7: 4, 9: 7, 10: 99}, other: every(1, 99)}
    assert datapoint(an_alarm(Statistic=name), history, 10) == value
    assert datapoint(an_alarm(Statistic=name), {other: every(1, 99)}, 10) is None


def test_an_alarm_is_evaluated_each_minute_over_whole_periods() -> None:
    """A value counts for as many minutes as the period has, and longer if the data after it is missing."""
    alarm, history = an_alarm(), {QUEUE: {20: 5}}
    breaching = breaches(alarm, history, minutes=60)
    minutes = [
        {minute for minute, state in play(alarm, breaching, extra_periods=extra).items() if state is ALARM}
        for extra in (0, 2)
    ]
    assert minutes == [set(range(21, 26)), set(range(21, 36))]


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("100 * a / PERIOD(a) / b", 100 * 600 / 300 / 4),
        ("IF(a >= 600 AND b == 4, 1, 0)", 1),
        ("IF(a < 600 OR b > 4, 1, 0)", 0),
        ("SUM(METRICS())", 604),  # leaves the missing metric out
        ("a + missing", None),
        ("IF(missing > 1, 1, 0)", None),
    ],
)
def test_metric_math(expression: str, value: float | None) -> None:
    """A missing operand makes a result missing, and a sum leaves it out."""
    values = {"a": 600.0, "b": 4.0, "missing": None}
    assert calculate(expression, values, period_seconds=300) == value


@pytest.mark.parametrize("expression", ["FILL(a, 0)", "a ** 2", "AVG(METRICS())"])
def test_other_metric_math_is_refused(expression: str) -> None:
    """A function that is not implemented here is an error, not a wrong state."""
    with pytest.raises((ValueError, KeyError)):
        calculate(expression, {"a": 1.0}, period_seconds=300)
