"""The feedback stream.

docs.aws.amazon.com/kinesis/latest/APIReference/API_DescribeStreamSummary.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, fault, warning

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

HOURS_PER_DAY = 24


def check_stream(deployment: Deployment) -> Iterator[Finding]:
    """Look at the stream's state, retention and encryption."""
    kinesis: KinesisClient = deployment.client("kinesis")
    name = deployment.output("FeedbackStream")
    answer = unless_missing(kinesis.describe_stream_summary, StreamName=name)
    if answer is None:
        words = f"the stream {name} is gone, so that no feedback reaches the table"
        yield fault("stream_missing", words, mending="make it again as infra/mailfold.yaml has it under FeedbackStream")
        return
    stream = answer["StreamDescriptionSummary"]
    if stream["StreamStatus"] not in {"ACTIVE", "UPDATING"}:
        words = f"the stream {name} is {stream['StreamStatus'].lower()}: no feedback reaches the table"
        yield fault("stream_not_active", words, mending="see in CloudTrail who changed it; look again later")
    wanted_hours = HOURS_PER_DAY * int(deployment.stack.parameters.get("StreamRetentionDays", "1"))
    if stream["RetentionPeriodHours"] < wanted_hours:
        yield fault(
            "stream_forgets",
            f"the stream {name} keeps {stream['RetentionPeriodHours']} hours, the stack asks for {wanted_hours}",
            mending=deployment.aws(
                f"kinesis increase-stream-retention-period --stream-name {name} --retention-period-hours {wanted_hours}"
            ),
        )
    if stream.get("EncryptionType") != "KMS":
        yield warning(
            "stream_not_encrypted",
            f"the stream {name}, which holds addresses, is not encrypted at rest",
            mending=deployment.aws(
                f"kinesis start-stream-encryption --stream-name {name} --encryption-type KMS --key-id alias/aws/kinesis"
            ),
        )
