"""Events of the Lambdas, in AWS's shapes.

docs.aws.amazon.com/lambda/latest/dg/ (with-kinesis, with-sqs, with-sns, services-kinesisfirehose)
"""

from hashlib import md5
from typing import Any

from aws_lambda_powertools.utilities.typing import LambdaContext

from tests.support.builders import base64

STREAM_ARN = "arn:aws:kinesis:us-east-1:123456789012:stream/mailfold-feedback"
SHARD = "shardId-000000000006"
FIRST_SEQUENCE_NUMBER = 49590338271490256608559692538361571095921575989136588898
ARRIVED_MS = 1_772_366_405_678
QUEUE_ARN = "arn:aws:sqs:us-east-1:123456789012:mailfold-NotificationQueue-1A2B"
TOPIC_ARN = "arn:aws:sns:us-east-1:123456789012:feedback"


class Context(LambdaContext):
    """Lambda's context."""

    def __init__(self) -> None:
        self._function_name = "mailfold"
        self._memory_limit_in_mb = 512
        self._invoked_function_arn = "arn:aws:lambda:us-east-1:123456789012:function:mailfold"
        self._aws_request_id = "b7e0ab4b-0b0c-4cdf-9e0b-8d7f5d1c1c7c"


def a_kinesis_event(*data: bytes | str) -> dict[str, Any]:
    """Return the event of a Kinesis event source mapping. A string is data as it is; bytes are encoded."""
    return {"Records": [_kinesis_record(number, item) for number, item in enumerate(data)]}


def sequence_number(index: int) -> str:
    """Return the sequence number of a record of `a_kinesis_event`."""
    return str(FIRST_SEQUENCE_NUMBER + 7 * index)


def an_sqs_event(*bodies: bytes) -> dict[str, Any]:
    """Return the event of an SQS event source mapping. Bodies may be raw, or in SNS's envelope."""
    return {"Records": [_message(number, body.decode()) for number, body in enumerate(bodies)]}


def message_id(index: int) -> str:
    """Return the message id of a record of `an_sqs_event` and of `an_sns_event`."""
    return f"059f36b4-87a3-44ab-83d2-{index:012}"


def an_sns_event(*messages: bytes) -> dict[str, Any]:
    """Return SNS's event. SNS itself always sends one record."""
    return {"Records": [_notification(number, message.decode()) for number, message in enumerate(messages)]}


def a_firehose_event(*data: bytes | str, arrived_ms: int | None = ARRIVED_MS) -> dict[str, Any]:
    """Return Firehose's event. A string is data as it is; bytes are encoded."""
    arrival = {} if arrived_ms is None else {"approximateArrivalTimestamp": arrived_ms}
    return {
        "invocationId": "2b4d1ad9-2f48-94bd-a088-767c317e994a",
        "deliveryStreamArn": "arn:aws:firehose:us-east-1:123456789012:deliverystream/mailfold-log",
        "region": "us-east-1",
        "records": [
            {"recordId": record_id(number), **arrival, "data": item if isinstance(item, str) else base64(item)}
            for number, item in enumerate(data)
        ],
    }


def record_id(index: int) -> str:
    """Return the id of a record of `a_firehose_event`."""
    return f"{49572672223665514422805246926656954630972486059535892482 + index}000000"


def _kinesis_record(index: int, data: bytes | str) -> dict[str, Any]:
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "0100018f00000000",
            "sequenceNumber": sequence_number(index),
            "data": data if isinstance(data, str) else base64(data),
            "approximateArrivalTimestamp": ARRIVED_MS / 1_000,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{SHARD}:{sequence_number(index)}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/projector",
        "awsRegion": "us-east-1",
        "eventSourceARN": STREAM_ARN,
    }


def _message(index: int, body: str) -> dict[str, Any]:
    return {
        "messageId": message_id(index),
        "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
        "body": body,
        "attributes": {
            "ApproximateReceiveCount": "1",
            "SentTimestamp": str(ARRIVED_MS),
            "SenderId": "AIDAIT2UOQQY3AUEKVGXU",
            "ApproximateFirstReceiveTimestamp": str(ARRIVED_MS + 12),
        },
        "messageAttributes": {},
        "md5OfBody": md5(body.encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": QUEUE_ARN,
        "awsRegion": "us-east-1",
    }


def _notification(index: int, message: str) -> dict[str, Any]:
    certificate = "https://sns.us-east-1.amazonaws.com/SimpleNotificationService-9c6465fa7f48f5cacd23014631ec1136.pem"
    return {
        "EventSource": "aws:sns",
        "EventVersion": "1.0",
        "EventSubscriptionArn": f"{TOPIC_ARN}:21be56ed-a058-49f5-8c98-aedd2564c486",
        "Sns": {
            "Type": "Notification",
            "MessageId": message_id(index),
            "TopicArn": TOPIC_ARN,
            "Subject": "Amazon SES Email Event Notification",
            "Message": message,
            "Timestamp": "2026-03-01T12:00:05.678Z",
            "SignatureVersion": "1",
            "Signature": "tcc6faL2yUC6dgZdmrwh1Y4cGa/ebXEkAi6RibDsvpi+tE/1+82j",
            "SigningCertUrl": certificate,
            "UnsubscribeUrl": f"https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe&SubscriptionArn={TOPIC_ARN}",
            "MessageAttributes": {},
        },
    }
