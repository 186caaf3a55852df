"""The stack itself: whether CloudFormation ended well.

The alarms: those that ring, and whether anybody hears them.

docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_DescribeAlarms.html

What was set aside, and waits for somebody: under four prefixes of the bucket, and in the dead-letter queues.

docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html

Silence: mail was sent, and no event of it came.

docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-cloudwatch.html and
docs.aws.amazon.com/firehose/latest/dev/monitoring-with-cloudwatch-metrics.html
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, error, warning
from pipeline.aws.doctor.iam import granted_actions

if TYPE_CHECKING:
    from mypy_boto3_cloudwatch import CloudWatchClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sns import SNSClient
    from mypy_boto3_sqs import SQSClient

DO = " Do: "  # what stands between an alarm's meaning and its mending, in its description


def check_alarms(deployment: Deployment) -> Iterator[Finding]:
    """Look for alarms that ring, and for such as are switched off."""
    cloudwatch: CloudWatchClient = deployment.client("cloudwatch")
    pages = cloudwatch.get_paginator("describe_alarms").paginate(AlarmNamePrefix=deployment.output("AlarmPrefix"))
    alarms = [alarm for page in pages for alarm in page["MetricAlarms"]]
    if not alarms:
        yield warning("alarms_missing", "the stack's alarms are gone", mending=deployment.mailfold("deploy"))
    for alarm in alarms:
        name = alarm["AlarmName"]
        if alarm["StateValue"] == "ALARM":
            meaning, _, mending = alarm.get("AlarmDescription", "").partition(DO)
            yield error("alarm_rings", f"the alarm “{name}” rings: {meaning}", mending=mending)
        if not alarm.get("ActionsEnabled", True):
            on = deployment.aws(f"cloudwatch enable-alarm-actions --alarm-names '{name}'")
            yield warning("alarm_switched_off", f"the alarm “{name}” tells nobody: it is switched off", mending=on)


def check_listeners(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether anybody is told."""
    sns: SNSClient = deployment.client("sns")
    arn = deployment.output("AlarmTopicArn")
    topic = unless_missing(sns.get_topic_attributes, TopicArn=arn)
    if topic is None:
        again = "make it again as infra/mailfold.yaml has it under AlarmTopic"
        yield error("alarm_topic_missing", f"the topic of the alarms is gone: {arn}", mending=again)
        return
    if not int(topic["Attributes"].get("SubscriptionsConfirmed", 0)):
        pending = int(topic["Attributes"].get("SubscriptionsPending", 0))
        subscribe = deployment.aws(f"sns subscribe --topic-arn {arn} --protocol email --notification-endpoint ADDRESS")
        yield warning(
            "alarms_unheard",
            f"nobody is told when an alarm rings{': a subscription waits to be confirmed' if pending else ''}",
            mending="confirm it from the mail that AWS sent" if pending else subscribe,
        )


COUNTED_OBJECTS = 1_000  # one page of ListObjectsV2: enough to know that it is many
DEAD_LETTERS = {
    "RuleDeadLetters": "EventBridge could not put into the stream: the log has them, the table does not",
    "NotificationDeadLetters": "the projector could not take from the notifications",
}


def check_quarantine(deployment: Deployment) -> Iterator[Finding]:
    """Look for payloads that nobody could read."""
    yield from _objects(deployment, "quarantine/", "quarantine_not_empty", "payloads that could not be read")


def check_given_up(deployment: Deployment) -> Iterator[Finding]:
    """Look for batches that Lambda gave up."""
    yield from _objects(deployment, "aws/lambda/", "given_up_not_empty", "batches of feedback that Lambda gave up")


def check_errors(deployment: Deployment) -> Iterator[Finding]:
    """Look for records that Firehose could not deliver."""
    yield from _objects(deployment, "errors/", "errors_not_empty", "records that Firehose could not deliver")


def check_dead_letters(deployment: Deployment) -> Iterator[Finding]:
    """Look at the queues of what could not be delivered."""
    for output, why in DEAD_LETTERS.items():
        if url := deployment.stack.outputs.get(output):
            yield from _queue(deployment, output, url, why)


def _objects(deployment: Deployment, prefix: str, name: str, what: str) -> Iterator[Finding]:
    s3: S3Client = deployment.client("s3")
    bucket = deployment.output("LogBucket")
    page = unless_missing(s3.list_objects_v2, Bucket=bucket, Prefix=prefix, MaxKeys=COUNTED_OBJECTS)
    if page is None or not page.get("KeyCount"):
        return
    number = f"{page['KeyCount']:,}{' or more' if page.get('IsTruncated') else ''}"
    place = f"s3://{bucket}/{prefix}"
    yield error(
        name,
        f"{what} are set aside under {place}: {number} objects",
        mending=f"mend the cause that they and the logs name, then {deployment.mailfold(f'ingest {place}')}, "
        f"then {deployment.aws(f's3 rm --recursive {place}')}",
    )


def _queue(deployment: Deployment, output: str, url: str, why: str) -> Iterator[Finding]:
    sqs: SQSClient = deployment.client("sqs")
    asked = ["QueueArn", "Policy", "ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    answer = unless_missing(sqs.get_queue_attributes, QueueUrl=url, AttributeNames=asked)
    if answer is None:
        words = f"the queue {url} is gone: what goes wrong is then lost"
        yield error(
            "dead_letters_missing", words, mending=f"make it again as infra/mailfold.yaml has it under {output}"
        )
        return
    attributes = answer["Attributes"]
    number = sum(int(attributes.get(name, 0)) for name in asked[2:])
    if number:
        purge = deployment.aws(f"sqs purge-queue --queue-url {url}")
        mending = f"mend the cause, then {deployment.mailfold('replay')}, then {purge}"
        yield error("dead_letters_not_empty", f"{url} holds {number:,} messages that {why}", mending=mending)
    if output == "RuleDeadLetters" and not _takes(deployment, attributes):
        yield error(
            "dead_letters_refused",
            f"the queue {url} does not let the rule put anything in: what it cannot deliver is lost",
            mending="put its policy back, as infra/mailfold.yaml has it under RuleDeadLettersPolicy",
        )


def _takes(deployment: Deployment, attributes: dict[str, str]) -> bool:
    rule = deployment.arn("events", f"rule/{deployment.output('FeedbackRule')}")
    return "Policy" in attributes and granted_actions(
        msgspec.json.decode(attributes["Policy"]),
        service="events.amazonaws.com",
        action="sqs:SendMessage",
        context={"aws:SourceAccount": deployment.stack.account_id, "aws:SourceArn": rule},
    )


LOOKED_BACK = timedelta(hours=3)
ON_ITS_WAY = timedelta(minutes=15)  # what was sent since then may not have come yet, nor be counted
PERIOD_SECONDS = 300


def check_mail(deployment: Deployment) -> Iterator[Finding]:
    """Compare mail that was sent with records that came to Firehose."""
    until = deployment.now - ON_ITS_WAY
    sent = _sum(deployment, "AWS/SES", "Send", until=until)
    came = _sum(deployment, "AWS/Firehose", "IncomingRecords", DeliveryStreamName=deployment.output("DeliveryStream"))
    if sent and not came:
        yield error(
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


# docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/view-stack-events.html
ENDED_WELL = frozenset({"CREATE_COMPLETE", "IMPORT_COMPLETE", "UPDATE_COMPLETE"})


def check_stack(deployment: Deployment) -> Iterator[Finding]:
    """Look at the stack's own state."""
    stack = deployment.stack
    again = f"see why in the stack's events, then {deployment.mailfold('deploy')}"
    if stack.status in ENDED_WELL:
        return
    if stack.status.startswith("UPDATE_ROLLBACK_COMPLETE"):
        yield warning("stack_rolled_back", "the last update failed, and what was before stands again", mending=again)
    elif stack.status.endswith("_IN_PROGRESS"):
        yield warning("stack_changing", f"CloudFormation is still at it ({stack.status})", mending="look again later")
    else:
        yield error("stack_failed", f"CloudFormation ended badly ({stack.status})", mending=again)
