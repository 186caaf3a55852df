"""Silence: mail was sent, and no event of it came.

docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-cloudwatch.html and
docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, fault, warning

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient

LOOKED_BACK = timedelta(hours=3)
ON_ITS_WAY = timedelta(minutes=15)  # what was sent since then may not have come yet, nor be counted
PERIOD_SECONDS = 300


def check_mail(deployment: Deployment) -> Iterator[Finding]:
    """Compare mail that was sent with records that came to Firehose."""
    until = deployment.now - ON_ITS_WAY
    sent = _sum(deployment, "AWS/SES", "Send", until=until)
    came = _sum(deployment, "AWS/Firehose", "IncomingRecords", DeliveryStreamName=deployment.output("DeliveryStream"))
    if sent and not came:
        yield fault(
            "mail_silent",
            f"{sent:,.0f} mails were sent in the last three hours, and no event of any came",
            mending="see above of identities, sets and destinations; most often mail is sent without a set",
        )


def check_feedback(deployment: Deployment) -> Iterator[Finding]:
    """Compare mail that bounced with records that came to the feedback stream."""
    until = deployment.now - ON_ITS_WAY
    bounced = _sum(deployment, "AWS/SES", "Bounce", until=until) + _sum(deployment, "AWS/SES", "Complaint", until=until)
    came = _sum(deployment, "AWS/Kinesis", "IncomingRecords", StreamName=deployment.output("FeedbackStream"))
    if bounced and not came:
        yield warning(
            "feedback_silent",
            f"{bounced:,.0f} mails bounced or were complained of in the last three hours, and the stream got nothing",
            mending="see what is said above of destinations, rule and target; SES also counts mail of other sets",
        )


def _sum(deployment: Deployment, namespace: str, metric: str, *, until: datetime | None = None, **of: str) -> float:
    cloudwatch: CloudWatchClient = deployment.client("cloudwatch")
    answer = cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in of.items()],
        StartTime=deployment.now - LOOKED_BACK,
        EndTime=until or deployment.now,
        Period=PERIOD_SECONDS,
        Statistics=["Sum"],
    )
    return sum(point["Sum"] for point in answer["Datapoints"])
