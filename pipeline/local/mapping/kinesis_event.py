"""Kinesis records as Lambda hands them to a function. Pure.

docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html
"""

from __future__ import annotations

from base64 import b64encode
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import RecordTypeDef

Record = dict[str, Any]
"""One of an event's `Records`."""


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """Whence records come and whither they go.

    Attributes:
        stream_arn: The stream.
        function_name: The function's name.
    """

    stream_arn: str
    function_name: str

    @property
    def region(self) -> str:
        """Where both are."""
        return self.stream_arn.split(":")[3]

    @property
    def account_id(self) -> str:
        """Whose both are."""
        return self.stream_arn.split(":")[4]

    @property
    def function_arn(self) -> str:
        """The function."""
        return f"arn:aws:lambda:{self.region}:{self.account_id}:function:{self.function_name}"

    @property
    def role_arn(self) -> str:
        """The function's role, by which the stream is read."""
        return f"arn:aws:iam::{self.account_id}:role/{self.function_name}"


def lambda_record(record: RecordTypeDef, *, shard_id: str, source: Source) -> Record:
    """Return a record that GetRecords gave as Lambda passes it on."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": record["SequenceNumber"],
            "data": b64encode(record["Data"]).decode(),
            "approximateArrivalTimestamp": round(record["ApproximateArrivalTimestamp"].timestamp(), 3),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard_id}:{record['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": source.role_arn,
        "awsRegion": source.region,
        "eventSourceARN": source.stream_arn,
    }


def sequence_number(record: Record) -> str:
    """Return a record's sequence number: text, to be compared as a number."""
    number: str = record["kinesis"]["sequenceNumber"]
    return number
