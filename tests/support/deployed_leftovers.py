"""A deployment in moto with leftovers in every place, and what a redrive of them sends."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import boto3
import pytest

from pipeline.decode import decode
from pipeline.event import Event
from pipeline.wire import Bounce
from tests.support.builders import a_bounce, a_send, as_notification, in_eventbridge
from tests.support.deployed import NAME, bucket, deployed, put_behind
from tests.support.leftovers import (
    BATCH_KEY,
    ERROR_KEY,
    QUARANTINE_KEY,
    RULE_ATTRIBUTES,
    a_discarded_batch,
    a_discarded_call,
    a_quarantine_object,
    an_error_object,
)

FEEDBACK = f"{NAME}-feedback"


class AFirehose:
    """Firehose's PutRecordBatch, which keeps what is put."""

    def __init__(self) -> None:
        self.kept: list[bytes] = []

    def put_record_batch(self, *, DeliveryStreamName: str, Records: list[dict[str, bytes]]) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        assert DeliveryStreamName == f"{NAME}-events"
        self.kept += [record["Data"] for record in Records]
        return {"FailedPutCount": 0, "RequestResponses": [{"RecordId": "r"} for _ in Records]}


@contextmanager
def deployed_for_redrive(environment: pytest.MonkeyPatch) -> Iterator[AFirehose]:
    """Run moto with a deployment without leftovers, and let commands use it."""
    with deployed(environment):
        boto3.client("kinesis").create_stream(StreamName=FEEDBACK, ShardCount=1)
        fake = AFirehose()
        put_behind(environment, firehose=fake)
        environment.setattr("pipeline.aws.leftovers.queue.POLL_SECONDS", 0)  # moto answers at once
        yield fake


def keep_everywhere() -> None:
    """Keep one bounce in every place, in its real format."""
    put(QUARANTINE_KEY, a_quarantine_object(bounce("quarantine"), reason="damaged gzip", position="mail.json:7"))
    put(ERROR_KEY, an_error_object(bounce("error"), a_send()))
    put(BATCH_KEY, json.dumps(a_discarded_batch(bounce("batch"))).encode())
    put(f"{BATCH_KEY}-call", json.dumps(a_discarded_call(as_notification(bounce("call")))).encode())
    send("RuleDeadLetters", in_eventbridge(bounce("rule")))
    send("NotificationDeadLetters", as_notification(bounce("notification")))


def put(key: str, body: bytes) -> None:
    """Put an object into the log's bucket."""
    boto3.client("s3").put_object(Bucket=bucket(), Key=key, Body=body)


def send(queue: str, body: bytes) -> None:
    """Send a message to a dead-letter queue, named by its output."""
    boto3.client("sqs").send_message(QueueUrl=url(queue), MessageBody=body.decode(), MessageAttributes=RULE_ATTRIBUTES)


def url(output: str) -> str:
    """Return the URL of a queue."""
    [stack] = boto3.client("cloudformation").describe_stacks(StackName=NAME)["Stacks"]
    return next(each["OutputValue"] for each in stack["Outputs"] if each["OutputKey"] == output)


def depth(output: str) -> int:
    """Return the metric that the alarm of a dead-letter queue watches."""
    names: Any = ["ApproximateNumberOfMessages"]
    answer = boto3.client("sqs").get_queue_attributes(QueueUrl=url(output), AttributeNames=names)
    return int(answer["Attributes"][names[0]])


def streamed() -> list[bytes]:
    """Return the records of the feedback stream."""
    kinesis = boto3.client("kinesis")
    iterator = kinesis.get_shard_iterator(
        StreamName=FEEDBACK, ShardId="shardId-000000000000", ShardIteratorType="TRIM_HORIZON"
    )
    return [record["Data"] for record in kinesis.get_records(ShardIterator=iterator["ShardIterator"])["Records"]]


def feedback_ids(payloads: list[bytes]) -> list[str]:
    """Return the feedback ids of the bounces in payloads."""
    events = [outcome for payload in payloads for outcome in decode(payload) if isinstance(outcome, Event)]
    return sorted(str(event.details.feedback_id) for event in events if isinstance(event.details, Bounce))


def bounce(name: str) -> bytes:
    """Return a bounce with this feedback id."""
    return a_bounce(feedback_id=name)
