"""The states of a CloudWatch alarm of the template for a history of its metrics.

Each minute CloudWatch evaluates the windows of one period that end then. It retrieves some more of them than the
alarm's evaluation periods, and uses those only if newer ones are missing. If too few exist, it fills the rest.
docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarm-evaluation.html and alarms-and-missing-data.html
"""

import operator
from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any

from tests.support.metric_history import History, Metric, a_metric, statistic
from tests.support.metric_math import Value, calculate

COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    "GreaterThanOrEqualToThreshold": operator.ge,
    "GreaterThanThreshold": operator.gt,
    "LessThanOrEqualToThreshold": operator.le,
    "LessThanThreshold": operator.lt,
}
SECONDS_PER_MINUTE = 60


class AlarmState(StrEnum):
    """The state of an alarm."""

    OK = "OK"
    ALARM = "ALARM"
    INSUFFICIENT_DATA = "INSUFFICIENT_DATA"


class MetricQuery:
    """A metric that an alarm watches, with its statistic and period.

    Args:
        properties: The alarm, or the `MetricStat` of one of its metrics.
    """

    def __init__(self, properties: Mapping[str, Any]) -> None:
        metric = properties.get("Metric", properties)
        dimensions = {dimension["Name"]: dimension["Value"] for dimension in metric.get("Dimensions", ())}
        self.metric: Metric = a_metric(metric["Namespace"], metric["MetricName"], **dimensions)
        self.statistic = str(properties.get("Stat") or properties["Statistic"])
        self.period_seconds = int(properties["Period"])

    def value(self, history: History, minute: int) -> Value:
        """Return the statistic over the period that ends with a minute."""
        first = minute - self.period_seconds // SECONDS_PER_MINUTE
        return statistic(history.get(self.metric, {}), self.statistic, first=first, last=minute)


def queries(alarm: Mapping[str, Any]) -> dict[str, MetricQuery]:
    """Return the metrics that an alarm watches, by their id in metric math."""
    if "Metrics" not in alarm:
        return {"": MetricQuery(alarm)}
    return {query["Id"]: MetricQuery(query["MetricStat"]) for query in alarm["Metrics"] if "MetricStat" in query}


def period_seconds(alarm: Mapping[str, Any]) -> int:
    """Return the period of an alarm. All its metrics have the same one."""
    (seconds,) = {query.period_seconds for query in queries(alarm).values()}
    return seconds


def datapoint(alarm: Mapping[str, Any], history: History, minute: int) -> Value:
    """Return the value that the alarm compares, over the period that ends with a minute."""
    values = {name: query.value(history, minute) for name, query in queries(alarm).items()}
    if "Metrics" not in alarm:
        return values[""]
    (expression,) = [query["Expression"] for query in alarm["Metrics"] if "Expression" in query]
    return calculate(expression, values, period_seconds=period_seconds(alarm))


def evaluate(alarm: Mapping[str, Any], breaching: Sequence[bool | None], *, current: AlarmState) -> AlarmState:
    """Return the next state of an alarm.

    Args:
        alarm: Its properties.
        breaching: Whether each datapoint of the evaluation range breaches, the newest last. None: it is missing.
        current: Its state before.

    Raises:
        ValueError: The template uses no such treatment of missing data.
    """
    periods = int(alarm["EvaluationPeriods"])
    to_alarm = int(alarm.get("DatapointsToAlarm", periods))
    existing = [point for point in breaching if point is not None][-periods:]
    number, missing = sum(existing), periods - len(existing)
    match alarm["TreatMissingData"]:
        case "breaching":
            return AlarmState.ALARM if number + missing >= to_alarm else AlarmState.OK
        case "notBreaching":
            return AlarmState.ALARM if number >= to_alarm else AlarmState.OK
        case "ignore" if missing and number == len(existing):
            return current
        case "ignore":
            return AlarmState.ALARM if number >= to_alarm else AlarmState.OK
        case other:
            raise ValueError(f"no alarm treats missing data as {other}")


def breaches(alarm: Mapping[str, Any], history: History, *, minutes: int) -> list[bool | None]:
    """Return for each minute whether the datapoint of the period that ends then breaches. None: it is missing."""
    compare, threshold = COMPARISONS[alarm["ComparisonOperator"]], float(alarm["Threshold"])
    points = [datapoint(alarm, history, minute) for minute in range(minutes + 1)]
    return [None if point is None else compare(point, threshold) for point in points]


def play(alarm: Mapping[str, Any], breaching: Sequence[bool | None], *, extra_periods: int) -> dict[int, AlarmState]:
    """Return the state of an alarm by minute, since the whole evaluation range lies in the history.

    Args:
        alarm: Its properties in the template.
        breaching: See `breaches`.
        extra_periods: How many periods beyond the alarm's own CloudWatch retrieves. AWS does not document the number;
            the tables of its guide show two.
    """
    period = period_seconds(alarm) // SECONDS_PER_MINUTE
    range_minutes = period * (int(alarm["EvaluationPeriods"]) + extra_periods)
    states, current = dict[int, AlarmState](), AlarmState.INSUFFICIENT_DATA
    for minute in range(range_minutes, len(breaching)):
        newest_last = breaching[minute - range_minutes + period : minute + 1 : period]
        current = states[minute] = evaluate(alarm, newest_last, current=current)
    return states
