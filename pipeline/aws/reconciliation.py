"""What a reconciliation and a drill report to CloudWatch, and the search for surges of bounces by Athena.

A scheduled function and the command call the same functions. The metrics are those of every function: one namespace,
and the dimension `service`; see `aws.metrics`. No value holds an address.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipeline.aws.archive.athena import QueryResult, query
from pipeline.aws.archive.proof import Proof
from pipeline.aws.archive.sql_files import sql_files
from pipeline.aws.clients import Clients
from pipeline.aws.errors import translated
from pipeline.aws.settings import NAMESPACE
from pipeline.reconcile import ReconcileResult
from pipeline.surge import BounceCount, Surge, SurgeRule, find_surges
from pipeline.timestamp import parse_time

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

SERVICE_SUFFIX = "reconciler"  # of the dimension `service`, after the stack's name
NEVER_PROVED_DAYS = 9_999  # of a table that no drill proved yet: older than any alarm allows

_QUERY = "bounce_surges"
_LAST_DAYS = "date_format(current_date - INTERVAL '2' DAY, '%Y-%m-%d')"


def surges_since(
    clients: Clients,
    since: datetime | None,
    *,
    rule: SurgeRule,
    database: str,
    workgroup: str,
    output_location: str | None,
) -> list[Surge]:
    """Return the surges of the log since a day, the largest first. It reads five columns, and never `raw`.

    Args:
        clients: boto3 clients of the deployment.
        since: The first moment; the whole day counts. None: the last two days.
        rule: What counts as a surge.
        database: The Glue database of the log.
        workgroup: Athena's workgroup.
        output_location: Where Athena puts results; None if the workgroup decides it.

    Raises:
        QueryFailed: Athena rejected or stopped the query.
        AccessDenied, NotFound: AWS denies the query, or the workgroup does not exist.
        ArchiveUnavailable: Athena throttles, cannot be reached, or takes too long.
    """
    result = query(
        clients.athena,
        _statement(since),
        database=database,
        workgroup=workgroup,
        output_location=output_location,
    )
    return find_surges(_counts(result), rule)


def _statement(since: datetime | None) -> str:
    (sql,) = (file.sql for file in sql_files("queries") if file.name == _QUERY)
    return sql if since is None else sql.replace(_LAST_DAYS, f"'{since.astimezone(UTC):%Y-%m-%d}'")


def _counts(result: QueryResult) -> Iterator[BounceCount]:
    """Yield the rows of the query, whose columns are those of `BounceCount`."""
    for hour, domain, status, *numbers in result.rows:
        bounces, hour_bounces, hour_sends = (int(number or 0) for number in numbers)
        begin = parse_time(hour)
        if begin and domain:
            yield BounceCount(
                hour=begin,
                domain=domain,
                status=status or "",
                bounces=bounces,
                hour_bounces=hour_bounces,
                hour_sends=hour_sends,
            )


def reconcile_metrics(
    result: ReconcileResult, *, surges: int | None, proof: Proof | None, now: datetime
) -> dict[str, float]:
    """Return the metrics of a reconciliation, zeros included.

    Args:
        result: Its counts.
        surges: The number of surges; None if they could not be searched for.
        proof: The result of the last drill, so that its age grows every day, even if no drill runs; None if none ran.
        now: The time, aware.
    """
    return {
        "LackingItems": result.missing + result.stale,
        "ComparedItems": result.compared,
        "MissingItems": result.missing,
        "StaleItems": result.stale,
        "HealedItems": result.healed + result.shadow_healed,
        "RejectedItems": result.rejected,
        **({} if surges is None else {"BounceSurges": surges}),
        "DaysSinceProved": _days(proof, now),
    }


def drill_metrics(proof: Proof, now: datetime) -> dict[str, float]:
    """Return the metrics of a drill, zeros included."""
    return {
        "DaysSinceProved": _days(proof, now),
        "DrillMissingItems": proof.result.missing,
        "DrillStaleItems": proof.result.stale,
        "DrillExtraItems": proof.result.extra,
    }


def _days(proof: Proof | None, now: datetime) -> float:
    days = proof.days_since_proved(now) if proof else None
    return NEVER_PROVED_DAYS if days is None else days


def put_metrics(cloudwatch: CloudWatchClient, service: str, values: Mapping[str, float]) -> None:
    """Publish metrics of a command. A function writes them to its log instead; see `aws.metrics`.

    Raises:
        AccessDenied: AWS denies it: allow cloudwatch:PutMetricData.
        ServiceUnavailable: CloudWatch throttles or cannot be reached.
    """
    data: Any = [
        {"MetricName": name, "Dimensions": [{"Name": "service", "Value": service}], "Unit": "Count", "Value": value}
        for name, value in values.items()
    ]
    with translated("publishing metrics"):
        cloudwatch.put_metric_data(Namespace=NAMESPACE, MetricData=data)
