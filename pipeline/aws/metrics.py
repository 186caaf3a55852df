"""CloudWatch metrics in the embedded metric format, which CloudWatch extracts from a Lambda's log.

A metric's name says what is counted and holds nothing of an event. There is one namespace and one dimension, `service`:
a function of one stack (`settings.service_name`), so that two stacks share neither counts nor alarms.
docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from collections.abc import Mapping

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from pipeline.projection import BatchResult

Meter = Metrics | EphemeralMetrics
"""Powertools' metrics: one instance for the whole process, or one of many."""


def count_projected(metrics: Meter, result: BatchResult) -> None:
    """Add the counts of a projected batch."""
    counts = result.counts
    count_events(metrics, counts.events)
    count(metrics, {"Ignored": counts.ignored, "Quarantined": counts.quarantined, "Facts": counts.facts})
    count(metrics, {"Unrecognized": counts.unrecognized, "Written": counts.written, "Unchanged": counts.unchanged})
    count(metrics, {"InternalErrors": result.internal_errors.total(), "Unfinished": int(result.cause is not None)})


def count_events(metrics: Meter, events: Mapping[str, int]) -> None:
    """Add the number of events of each kind: `BounceEvents`, `RenderingFailureEvents`, `UnknownEvents` and so on."""
    count(metrics, {f"{kind.title().replace('_', '')}Events": number for kind, number in events.items()})


def count(metrics: Meter, counts: Mapping[str, float]) -> None:
    """Add counts by name, zeros included: an alarm must distinguish "none" from "no data"."""
    for name, number in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)
