"""The table of alarms in infra/README.md, from the template and the failures that the tests play.

Print it: python -m tests.infra.alarm_table
"""

from collections.abc import Iterator, Mapping
from typing import Any

from tests.infra.alarm_case import AlarmCase
from tests.infra.feedback_alarm_cases import FEEDBACK_CASES
from tests.infra.log_alarm_cases import LOG_CASES
from tests.support.alarm_state import MetricQuery, period_seconds, queries
from tests.support.cloudformation import NAME

CASES = (*FEEDBACK_CASES, *LOG_CASES)
HEADER = ("| alarm | failure, as metrics show it | rings if | within |", "|---|---|---|---|")
COMPARED = {
    "GreaterThanOrEqualToThreshold": "≥",
    "GreaterThanThreshold": ">",
    "LessThanThreshold": "<",
}


def lines() -> Iterator[str]:
    """Yield the lines of the table: a row for each failure, in the order of the path of an event."""
    yield from HEADER
    for case in CASES:
        name = case.properties["AlarmName"].removeprefix(f"{NAME} ")
        yield f"| {name} | {case.failure} | {_condition(case.properties)} | {_duration(case)} |"


def _condition(alarm: Mapping[str, Any]) -> str:
    periods = int(alarm["EvaluationPeriods"])
    number = f"{alarm.get('DatapointsToAlarm', periods)} of {periods} times {period_seconds(alarm) // 60} min"
    missing = {"breaching": ", or no data", "notBreaching": "", "ignore": ""}[alarm["TreatMissingData"]]
    return (
        f"{_watched(alarm)} {COMPARED[alarm['ComparisonOperator']]} {float(alarm['Threshold']):,g}{missing}; {number}"
    )


def _watched(alarm: Mapping[str, Any]) -> str:
    if "Metrics" not in alarm:
        return _metric(queries(alarm)[""])
    (expression,) = [query["Expression"] for query in alarm["Metrics"] if "Expression" in query]
    names = ", ".join(f"{name} = {_metric(query)}" for name, query in queries(alarm).items())
    return f"`{expression}` with {names}"


def _metric(query: MetricQuery) -> str:
    return f"{query.statistic} of `{query.metric.namespace} {query.metric.name}`"


def _duration(case: AlarmCase) -> str:
    return f"{case.minutes} min" if case.minutes < 120 else f"{case.minutes // 60} h"


if __name__ == "__main__":
    print("\n".join(lines()))  # noqa: T201 - what this module is for
