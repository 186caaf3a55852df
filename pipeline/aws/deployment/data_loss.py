"""Data that a deployment would delete, because a parameter shortens how long it is kept.

CloudFormation's change set shows such a change as a modification of a bucket or a stream, and not what it deletes.
docs.aws.amazon.com/AmazonS3/latest/userguide/lifecycle-expire-general-considerations.html,
docs.aws.amazon.com/streams/latest/dev/kinesis-extended-retention.html
"""

from collections.abc import Iterator, Mapping
from math import inf

import msgspec

from pipeline.aws.stack import Stack


class Retention(msgspec.Struct, frozen=True, kw_only=True):
    """A parameter that limits how long data is kept.

    Attributes:
        parameter: Name of the parameter, in days; 0 is for ever.
        output: Output of the stack with the name of the resource that keeps the data.
        loss: What is deleted if the parameter becomes `{days}`.
    """

    parameter: str
    output: str
    loss: str


RETENTIONS = (
    Retention(
        parameter="LogExpirationDays",
        output="LogBucket",
        loss="S3 deletes every event of the log that is older than {days} days, and does so every day. No replay, "
        "rebuild or query has these events again. S3 keeps the deleted objects for 30 days, as noncurrent versions",
    ),
    Retention(
        parameter="FailureExpirationDays",
        output="LogBucket",
        loss="S3 deletes every record that failed (errors/, quarantine/, aws/lambda/, redriven/) and is older than "
        "{days} days. What was not redriven before is in neither log nor table",
    ),
    Retention(
        parameter="StreamRetentionDays",
        output="FeedbackStream",
        loss="Kinesis deletes every record that is older than {days} days, read or not. Bounces and complaints that "
        "the consumer has not read yet reach the table only by a replay of the log",
    ),
)


class DataLoss(msgspec.Struct, frozen=True, kw_only=True):
    """Data that a deployment would delete.

    Attributes:
        parameter: Name of the parameter that shortens the retention.
        before: Its value in the stack.
        after: Its value after the deployment.
        resource: Name of the resource that keeps the data, which the user types to confirm.
        loss: What is deleted, as a sentence without its full stop.
    """

    parameter: str
    before: str
    after: str
    resource: str
    loss: str


def data_losses(stack: Stack, values: Mapping[str, str]) -> tuple[DataLoss, ...]:
    """Return the data that a deployment would delete.

    Args:
        stack: The stack as it is.
        values: Value of every parameter after the deployment.
    """
    return tuple(_losses(stack, values))


def _losses(stack: Stack, values: Mapping[str, str]) -> Iterator[DataLoss]:
    for retention in RETENTIONS:
        before, after = stack.parameters.get(retention.parameter), values.get(retention.parameter)
        if before is not None and after is not None and _days(after) < _days(before):
            yield DataLoss(
                parameter=retention.parameter,
                before=before,
                after=after,
                resource=stack.outputs.get(retention.output, stack.name),
                loss=retention.loss.format(days=after),
            )


def _days(value: str) -> float:
    return int(value) or inf
