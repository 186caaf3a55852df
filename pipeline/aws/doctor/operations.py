"""Checks of operations: the stack's state, alarms, and whether events arrive.

docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html,
docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-cloudwatch.html and
docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Literal

from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, error, restore, warning
from pipeline.aws.errors import missing_ok
from pipeline.aws.settings import NAMESPACE

# docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
SUCCEEDED = frozenset({"CREATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_COMPLETE"})

REMEDY_MARK = " Do: "  # separates the meaning of an alarm from its remedy, in its description

WINDOW = timedelta(hours=3)
DAY = timedelta(days=1)  # 288 periods: GetMetricStatistics returns up to 1,440
QUOTA_SHARE = 0.8  # the template's default of LogQuotaPercent
DELAY = timedelta(minutes=15)  # mail sent since then may not have caused events, or may not be counted yet
PERIOD_SECONDS = 300
DAYS_OF_TYPES = 7
SECONDS_PER_DAY = 86_400
UNRECOGNIZED_SQL = (
    "SELECT ses_type, bounce_type, bounce_sub_type, complaint_sub_type, complaint_feedback_type, count(*) AS events "
    "FROM {table} WHERE dt >= '{since}' AND event_type IN ('unknown', 'bounce', 'complaint') "
    "GROUP BY 1, 2, 3, 4, 5 ORDER BY 6"
)


def check_stack(deployment: Deployment) -> Iterator[Finding]:
    """Check the result of CloudFormation's last operation."""
    status = deployment.stack.status
    remedy = f"read the stack's events, then {deployment.mailfold_command('deploy')}"
    if status in SUCCEEDED:
        return
    if status.startswith("UPDATE_ROLLBACK_COMPLETE"):
        yield warning("stack_rolled_back", "the last update failed and was rolled back", remedy=remedy)
    elif status.endswith("_IN_PROGRESS"):
        message = f"CloudFormation is changing the stack ({status}): other findings may be temporary"
        yield warning("stack_changing", message, remedy="check again when it has finished")
    else:
        yield error("stack_failed", f"CloudFormation's last operation failed ({status})", remedy=remedy)


def check_alarms(deployment: Deployment) -> Iterator[Finding]:
    """Check for active alarms, and for alarms whose actions are disabled."""
    pages = deployment.clients.cloudwatch.get_paginator("describe_alarms").paginate(
        AlarmNamePrefix=deployment.output("AlarmPrefix")
    )
    alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    if not alarms:
        message = "the stack's alarms do not exist: failures stay unnoticed"
        yield warning("alarms_missing", message, remedy=deployment.mailfold_command("deploy"))
    for alarm in alarms:
        name = alarm["AlarmName"]
        if alarm["StateValue"] == "ALARM":
            meaning, _, remedy = alarm.get("AlarmDescription", "").partition(REMEDY_MARK)
            yield error("alarm_active", f"the alarm “{name}” is active: {meaning}", remedy=remedy)
        if not alarm.get("ActionsEnabled", True):
            enable = deployment.aws_command(f"cloudwatch enable-alarm-actions --alarm-names '{name}'")
            message = f"the actions of the alarm “{name}” are disabled: it sends no notification"
            yield warning("alarm_actions_disabled", message, remedy=enable)


def check_alarm_subscribers(deployment: Deployment) -> Iterator[Finding]:
    """Check that the alarm topic has a subscriber."""
    arn = deployment.output("AlarmTopicArn")
    topic = missing_ok(lambda: deployment.clients.sns.get_topic_attributes(TopicArn=arn))
    if topic is None:
        message = f"the alarm topic {arn} does not exist: alarms send no notification"
        is_given = deployment.stack.parameters.get("AlarmTopic")
        deploy = deployment.mailfold_command("deploy --param AlarmTopic=ARN")
        yield error("alarm_topic_missing", message, remedy=deploy if is_given else restore("StackAlarmTopic"))
        return
    if int(topic["Attributes"].get("SubscriptionsConfirmed", 0)):
        return
    message = "the alarm topic has no confirmed subscription: alarms reach no one"
    if int(topic["Attributes"].get("SubscriptionsPending", 0)):
        remedy = "confirm the pending subscription from the e-mail that AWS sent"
    else:
        remedy = deployment.aws_command(
            f"sns subscribe --topic-arn {arn} --protocol email --notification-endpoint ADDRESS"
        )
    yield warning("alarms_without_subscriber", message, remedy=remedy)


def check_quota(deployment: Deployment) -> Iterator[Finding]:
    """Compare the peak of the last day with Firehose's quota, in bytes per second over five minutes."""
    stream = deployment.output("DeliveryStream")
    received = _points(deployment, "AWS/Firehose", "IncomingBytes", "Sum", since=DAY, DeliveryStreamName=stream)
    limits = _points(deployment, "AWS/Firehose", "BytesPerSecondLimit", "Maximum", since=DAY, DeliveryStreamName=stream)
    if received and limits and (share := max(received) / PERIOD_SECONDS / max(limits)) > QUOTA_SHARE:
        yield warning(
            "firehose_close_to_quota",
            f"SES's events used {share:.0%} of the bytes per second that the Firehose stream {stream} accepts: beyond "
            "them, events may be lost",
            remedy="request a higher quota (Service Quotas, Firehose, direct PUT)",
        )


def check_events_of_mail(deployment: Deployment) -> Iterator[Finding]:
    """Compare the number of sent mails with the records that Firehose received."""
    sent = _sum(deployment, "AWS/SES", "Send", until=deployment.now - DELAY)
    stream = deployment.output("DeliveryStream")
    received = _sum(deployment, "AWS/Firehose", "IncomingRecords", DeliveryStreamName=stream)
    if sent and not received:
        yield error(
            "mail_without_events",
            f"{sent:,.0f} mails were sent in the last three hours, but no event arrived",
            remedy="see the findings about identities, configuration sets and destinations; "
            "most often the mail names no configuration set",
        )


def check_events_of_bounces(deployment: Deployment) -> Iterator[Finding]:
    """Compare the number of bounces and complaints with the records that the feedback stream received."""
    until = deployment.now - DELAY
    feedback = sum(_sum(deployment, "AWS/SES", metric, until=until) for metric in ("Bounce", "Complaint"))
    received = _sum(deployment, "AWS/Kinesis", "IncomingRecords", StreamName=deployment.output("FeedbackStream"))
    if feedback and not received:
        yield warning(
            "bounces_without_events",
            f"SES counted {feedback:,.0f} bounces and complaints in the last three hours, but the stream received none",
            remedy="see the findings about destinations and rule; SES also counts mail of other configuration sets",
        )


def check_unrecognized(deployment: Deployment) -> Iterator[Finding]:
    """Check for events whose type or sub-type this version does not know, in the last days.

    The transform counts those in the log, the projector those of the feedback stream. Most are counted by both.
    """
    since = timedelta(days=DAYS_OF_TYPES)
    numbers = [
        _sum(
            deployment,
            NAMESPACE,
            "Unrecognized",
            since=since,
            period_seconds=SECONDS_PER_DAY,
            service=f"{deployment.stack.name}-{function}",
        )
        for function in ("transform", "projector")
    ]
    if number := max(numbers):
        sql = UNRECOGNIZED_SQL.format(table=deployment.output("LogTable"), since=(deployment.now - since).date())
        yield warning(
            "events_unrecognized",
            f"{number:,.0f} events of the last {DAYS_OF_TYPES} days have a type or a sub-type that is not known here: "
            "they are in the log, and suppress nothing",
            remedy="update Mailfold, deploy and replay; this query shows them, the rarest first: "
            + deployment.mailfold_command(f'query "{sql}"'),
        )


def _sum(
    deployment: Deployment,
    namespace: str,
    metric: str,
    *,
    since: timedelta = WINDOW,
    until: datetime | None = None,
    period_seconds: int = PERIOD_SECONDS,
    **dimensions: str,
) -> float:
    return sum(
        _points(
            deployment, namespace, metric, "Sum", since=since, until=until, period_seconds=period_seconds, **dimensions
        )
    )


def _points(
    deployment: Deployment,
    namespace: str,
    metric: str,
    statistic: Literal["Maximum", "Sum"],
    *,
    since: timedelta,
    until: datetime | None = None,
    period_seconds: int = PERIOD_SECONDS,
    **dimensions: str,
) -> list[float]:
    """Return the values of a metric, one for each period that has data."""
    answer = deployment.clients.cloudwatch.get_metric_statistics(
        Namespace=namespace,
        MetricName=metric,
        Dimensions=[{"Name": name, "Value": value} for name, value in dimensions.items()],
        StartTime=deployment.now - since,
        EndTime=until or deployment.now,
        Period=period_seconds,
        Statistics=[statistic],
    )
    return [point[statistic] for point in answer["Datapoints"]]
