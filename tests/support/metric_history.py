"""Histories of CloudWatch metrics, minute by minute, and their statistics over a window.

A history has at most one value a minute, CloudWatch's standard resolution. A minute without a value is a gap: the
service published nothing then. docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/cloudwatch_concepts.html
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

MINUTES = 24 * 60
"""Length of a history."""

Samples = Mapping[int, float]
"""Values of a metric by minute, from 0."""


class Metric(msgspec.Struct, frozen=True):
    """A metric.

    Attributes:
        namespace: Its namespace, such as `AWS/Lambda`.
        name: Its name.
        dimensions: Names and values of its dimensions, sorted.
    """

    namespace: str
    name: str
    dimensions: tuple[tuple[str, str], ...] = ()


History = Mapping[Metric, Samples]
"""Samples by metric. A metric that is missing was never published."""

STATISTICS: Mapping[str, Callable[[Sequence[float]], float]] = {
    "Average": lambda values: sum(values) / len(values),
    "Maximum": max,
    "Minimum": min,
    "SampleCount": len,
    "Sum": sum,
}


def a_metric(namespace: str, name: str, **dimensions: str) -> Metric:
    """Return a metric."""
    return Metric(namespace, name, tuple(sorted(dimensions.items())))


def every(minutes: int, value: float, *, first: int = 0, last: int = MINUTES) -> dict[int, float]:
    """Return one value every so many minutes, from a first minute to before a last one."""
    return dict.fromkeys(range(first, last, minutes), value)


def rising(per_minute: float, *, first: int, minutes: int = 1, last: int = MINUTES) -> dict[int, float]:
    """Return a value that grows with each minute since the first one, every so many minutes."""
    return {minute: per_minute * (minute - first) for minute in range(first, last, minutes)}


def changed(history: History, *, since: int, by: History) -> History:
    """Return a history in which other samples replace those of some metrics since a minute."""
    before = {
        metric: {minute: value for minute, value in history.get(metric, {}).items() if minute < since} for metric in by
    }
    return {**history, **{metric: {**before[metric], **samples} for metric, samples in by.items()}}


def statistic(samples: Samples, name: str, *, first: int, last: int) -> float | None:
    """Return a statistic of the values from a first minute to before a last one. None: there are no values."""
    values = [samples[minute] for minute in range(first, last) if minute in samples]
    return STATISTICS[name](values) if values else None
