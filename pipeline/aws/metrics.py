"""Counts for CloudWatch, in the embedded metric format that Lambda's log turns into metrics.

A name says what is counted and nothing about anybody. One namespace; the one dimension, `service`, is a
function of one stack (`settings.service_name`), so that stacks beside each other share neither counts nor alarms.
docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html
"""

from collections.abc import Mapping

from aws_lambda_powertools import Metrics
from aws_lambda_powertools.metrics import EphemeralMetrics, MetricUnit

from pipeline.projection import BatchResult

NAMESPACE = "Mailfold"

Meter = Metrics | EphemeralMetrics
"""One for the whole process, or one of many."""


def count(metrics: Meter, counts: Mapping[str, int]) -> None:
    """Add counts by name; zeros too, so that an alarm can tell silence from nothing wrong."""
    for name, number in counts.items():
        metrics.add_metric(name=name, unit=MetricUnit.Count, value=number)


def count_events(metrics: Meter, events: Mapping[str, int]) -> None:
    """Add the number of events of each kind: `BounceEvents`, `RenderingFailureEvents`, `UnknownEvents` and so on."""
    count(metrics, {f"{kind.title().replace('_', '')}Events": number for kind, number in events.items()})


def count_projected(metrics: Meter, done: BatchResult) -> None:
    """Add what became of a batch, in whatever way it came."""
    counts = done.counts
    count_events(metrics, counts.events)
    count(metrics, {"Ignored": counts.ignored, "Quarantined": counts.quarantined, "Facts": counts.facts})
    count(metrics, {"Written": counts.written, "Unchanged": counts.unchanged})
    count(metrics, {"Faults": done.internal_errors.total(), "Unfinished": int(done.cause is not None)})
