"""What was set aside, and waits for somebody: under four prefixes of the bucket, and in the dead-letter queues.

docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, fault
from pipeline.aws.doctor.grant import grants

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sqs import SQSClient

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
    yield fault(
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
        yield fault(
            "dead_letters_missing", words, mending=f"make it again as infra/mailfold.yaml has it under {output}"
        )
        return
    attributes = answer["Attributes"]
    number = sum(int(attributes.get(name, 0)) for name in asked[2:])
    if number:
        purge = deployment.aws(f"sqs purge-queue --queue-url {url}")
        mending = f"mend the cause, then {deployment.mailfold('replay')}, then {purge}"
        yield fault("dead_letters_not_empty", f"{url} holds {number:,} messages that {why}", mending=mending)
    if output == "RuleDeadLetters" and not _takes(deployment, attributes):
        yield fault(
            "dead_letters_refused",
            f"the queue {url} does not let the rule put anything in: what it cannot deliver is lost",
            mending="put its policy back, as infra/mailfold.yaml has it under RuleDeadLettersPolicy",
        )


def _takes(deployment: Deployment, attributes: dict[str, str]) -> bool:
    rule = deployment.arn("events", f"rule/{deployment.output('FeedbackRule')}")
    return "Policy" in attributes and grants(
        msgspec.json.decode(attributes["Policy"]),
        service="events.amazonaws.com",
        action="sqs:SendMessage",
        context={"aws:SourceAccount": deployment.stack.account_id, "aws:SourceArn": rule},
    )
