"""Checks of leftovers: what the quarantine, Firehose, Lambda and the dead-letter queues keep to be redriven.

docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_GetQueueAttributes.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, error, restore
from pipeline.aws.doctor.policy_document import allows
from pipeline.aws.errors import missing_ok
from pipeline.aws.leftovers.objects import OBJECT_PLACES
from pipeline.leftover import Place

if TYPE_CHECKING:
    from mypy_boto3_sqs.literals import QueueAttributeFilterType

MAX_COUNTED_OBJECTS = 1_000  # one page of ListObjectsV2
DEAD_LETTERS = {  # by the output that contains the queue's URL
    "RuleDeadLetters": "EventBridge could not deliver to the stream: they are in the log, but not in the table",
    "NotificationDeadLetters": "the projector could not receive from the SNS topic",
}
DEAD_LETTER_PLACES = {
    "RuleDeadLetters": Place.RULE_QUEUE,
    "NotificationDeadLetters": Place.NOTIFICATION_QUEUE,
}
MESSAGE_COUNTS: tuple[QueueAttributeFilterType, ...] = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
)


def check_quarantine(deployment: Deployment) -> Iterator[Finding]:
    """Check for records that could not be decoded."""
    yield from _check_empty(deployment, Place.QUARANTINE, "quarantine_not_empty", "records that could not be decoded")


def check_failed_batches(deployment: Deployment) -> Iterator[Finding]:
    """Check for batches that Lambda discarded."""
    yield from _check_empty(
        deployment, Place.LAMBDA, "failed_batches_not_empty", "batches of feedback that Lambda stopped retrying"
    )


def check_delivery_errors(deployment: Deployment) -> Iterator[Finding]:
    """Check for records that Firehose could not deliver."""
    yield from _check_empty(
        deployment, Place.FIREHOSE, "delivery_errors_not_empty", "records that Firehose could not deliver"
    )


def _check_empty(deployment: Deployment, place: Place, name: str, content: str) -> Iterator[Finding]:
    bucket, prefix = deployment.output("LogBucket"), OBJECT_PLACES[place].prefix
    page = missing_ok(
        lambda: deployment.clients.s3.list_objects_v2(Bucket=bucket, Prefix=prefix, MaxKeys=MAX_COUNTED_OBJECTS)
    )
    if page is None or not page.get("KeyCount"):
        return
    number = f"{page['KeyCount']:,}{' or more' if page.get('IsTruncated') else ''}"
    message = f"s3://{bucket}/{prefix} contains {content}: {number} objects"
    yield error(name, message, remedy=_redrive_remedy(deployment, place))


def _redrive_remedy(deployment: Deployment, place: Place) -> str:
    show = deployment.mailfold_command(f"quarantine list --place {place}")
    redrive = deployment.mailfold_command(f"quarantine redrive --all --place {place}")
    return f"{show}, correct the cause that it and the logs name, then {redrive}"


def check_dead_letters(deployment: Deployment) -> Iterator[Finding]:
    """Check that the dead-letter queues exist and are empty."""
    for output, content in DEAD_LETTERS.items():
        if url := deployment.stack.outputs.get(output):
            yield from _check_queue(deployment, output, url, content)


def _check_queue(deployment: Deployment, output: str, url: str, content: str) -> Iterator[Finding]:
    answer = missing_ok(
        lambda: deployment.clients.sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy", *MESSAGE_COUNTS])
    )
    if answer is None:
        message = f"the queue {url} does not exist: what cannot be delivered is lost"
        yield error("dead_letters_missing", message, remedy=restore(output))
        return
    attributes = answer["Attributes"]
    number = sum(int(value) for name, value in attributes.items() if name in MESSAGE_COUNTS)
    if number:
        remedy = _redrive_remedy(deployment, DEAD_LETTER_PLACES[output])
        yield error("dead_letters_not_empty", f"{url} contains {number:,} messages that {content}", remedy=remedy)
    if output == "RuleDeadLetters" and not _allows_rule(deployment, attributes.get("Policy")):
        message = f"the queue {url} does not allow the rule to send messages: what it cannot deliver is lost"
        yield error("dead_letters_denied", message, remedy=restore("RuleDeadLettersPolicy"))


def _allows_rule(deployment: Deployment, policy: str | None) -> bool:
    return policy is not None and allows(
        msgspec.json.decode(policy),
        service="events.amazonaws.com",
        action="sqs:SendMessage",
        context={"aws:SourceAccount": deployment.stack.account_id, "aws:SourceArn": deployment.rule_arn},
    )
