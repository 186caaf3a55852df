"""The quarantine in S3: its objects, its keys, and its errors."""

import json
from base64 import b64encode
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import pytest
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ReadTimeoutError,
)
from moto import mock_aws

from pipeline.aws.clients import create_client
from pipeline.aws.quarantine import S3Quarantine
from pipeline.errors import STOPS_BATCH, AccessDenied, NotFound, QuarantineUnavailable
from pipeline.ports import Quarantined

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "mailfold-quarantine"
SECRET = "ada@example.com"  # an example of what no key and no message may hold
QUARANTINED = Quarantined(payload=SECRET.encode() + b"\xff", reason="not JSON", position="feedback shardId-0 17")


@pytest.fixture
def s3() -> Iterator["S3Client"]:
    with mock_aws():
        s3 = create_client("s3", region="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield s3


def keys(s3: "S3Client") -> list[str]:
    return [entry["Key"] for entry in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def test_an_object_is_json_with_reason_position_and_payload(s3: "S3Client") -> None:
    """Any language can read it; the payload is in base64."""
    S3Quarantine(s3, bucket=BUCKET).put(QUARANTINED)

    stored = s3.get_object(Bucket=BUCKET, Key=keys(s3)[0])
    assert json.loads(stored["Body"].read()) == {
        "reason": "not JSON",
        "position": "feedback shardId-0 17",
        "payload_base64": b64encode(QUARANTINED.payload).decode(),
    }
    assert stored["ContentType"] == "application/json"


def test_keys_are_spread_and_hold_nothing_of_the_payload(s3: "S3Client") -> None:
    """Many puts must not use one prefix, and access logs hold keys."""
    quarantine = S3Quarantine(s3, bucket=BUCKET, prefix="aside/")
    for number in range(30):
        quarantine.put(Quarantined(payload=QUARANTINED.payload, reason="", position=f"feedback shardId-0 {number}"))

    stored_keys = keys(s3)
    assert len(stored_keys) == 30
    assert all(key.startswith("aside/") and SECRET not in key for key in stored_keys)
    assert len({key.split("/")[1] for key in stored_keys}) > 15


def test_a_position_that_is_not_utf8_stays_readable(s3: "S3Client") -> None:
    """File names can hold any bytes; Python reads those as lone surrogates."""
    S3Quarantine(s3, bucket=BUCKET).put(Quarantined(payload=b"x", reason="", position="mail-\udcff.json:1"))

    stored = s3.get_object(Bucket=BUCKET, Key=keys(s3)[0])["Body"].read()
    assert json.loads(stored)["position"] == "mail-\\udcff.json:1"


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (ClientError({"Error": {"Code": "SlowDown"}}, "PutObject"), QuarantineUnavailable),
        (ClientError({"Error": {"Code": "InternalError"}}, "PutObject"), QuarantineUnavailable),
        (ClientError({"Error": {"Code": "InvalidRequest", "Message": SECRET}}, "PutObject"), QuarantineUnavailable),
        (ClientError({"Error": {"Code": "AccessDenied", "Message": SECRET}}, "PutObject"), AccessDenied),
        (ClientError({"Error": {"Code": "NoSuchBucket"}}, "PutObject"), NotFound),
        (EndpointConnectionError(endpoint_url="https://s3"), QuarantineUnavailable),
        (ConnectTimeoutError(endpoint_url="https://s3"), QuarantineUnavailable),
        (ReadTimeoutError(endpoint_url="https://s3"), QuarantineUnavailable),
        (NoCredentialsError(), AccessDenied),
    ],
    ids=lambda value: value.response["Error"]["Code"] if isinstance(value, ClientError) else None,
)
def test_every_error_stops_the_batch(
    s3: "S3Client", error: ClientError | BotoCoreError, expected: type[Exception]
) -> None:
    """A payload that is not in the quarantine must not be acknowledged. The message holds nothing of it."""

    def fail(**_: Any) -> None:
        raise error

    s3.meta.events.register("before-call.s3.PutObject", fail)
    with pytest.raises(expected) as raised:
        S3Quarantine(s3, bucket=BUCKET).put(QUARANTINED)
    assert issubclass(expected, STOPS_BATCH)
    assert SECRET not in str(raised.value)
    assert BUCKET in str(raised.value)
