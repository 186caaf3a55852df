"""The quarantine in S3, where it is S3's own affair."""

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
from pipeline.errors import QuarantineUnavailable
from pipeline.ports import Quarantined

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "mailfold-quarantine"
SECRET = "ada@example.com"  # stands for all that must not be told
QUARANTINED = Quarantined(payload=SECRET.encode() + b"\xff", reason="not JSON", position="feedback shardId-0 17")


@pytest.fixture
def s3() -> Iterator["S3Client"]:
    with mock_aws():
        s3 = create_client("s3", region="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        yield s3


def keys(s3: "S3Client") -> list[str]:
    return [one["Key"] for one in s3.list_objects_v2(Bucket=BUCKET).get("Contents", [])]


def test_an_object_is_json_that_says_what_where_and_why(s3: "S3Client") -> None:
    S3Quarantine(s3, bucket=BUCKET).put(QUARANTINED)

    stored = s3.get_object(Bucket=BUCKET, Key=keys(s3)[0])
    assert json.loads(stored["Body"].read()) == {
        "reason": "not JSON",
        "position": "feedback shardId-0 17",
        "payload_base64": b64encode(QUARANTINED.payload).decode(),
    }
    assert stored["ContentType"] == "application/json"


def test_keys_are_spread_and_hold_nothing_of_the_payload(s3: "S3Client") -> None:
    """A flood must not hit one prefix, and a key ends up in access logs."""
    quarantine = S3Quarantine(s3, bucket=BUCKET, prefix="aside/")
    for number in range(30):
        quarantine.put(Quarantined(payload=QUARANTINED.payload, reason="", position=f"feedback shardId-0 {number}"))

    found = keys(s3)
    assert len(found) == 30
    assert all(key.startswith("aside/") and SECRET not in key for key in found)
    assert len({key.split("/")[1] for key in found}) > 15


def test_a_position_that_is_no_utf8_is_kept_readable(s3: "S3Client") -> None:
    """File names can hold any bytes; Python reads those as lone surrogates."""
    S3Quarantine(s3, bucket=BUCKET).put(Quarantined(payload=b"x", reason="", position="mail-\udcff.json:1"))

    stored = s3.get_object(Bucket=BUCKET, Key=keys(s3)[0])["Body"].read()
    assert json.loads(stored)["position"] == "mail-\\udcff.json:1"


@pytest.mark.parametrize(
    "error",
    [
        ClientError({"Error": {"Code": "SlowDown"}}, "PutObject"),
        ClientError({"Error": {"Code": "InternalError"}}, "PutObject"),
        ClientError({"Error": {"Code": "AccessDenied"}}, "PutObject"),
        ClientError({"Error": {"Code": "NoSuchBucket"}}, "PutObject"),
        EndpointConnectionError(endpoint_url="https://s3"),
        ConnectTimeoutError(endpoint_url="https://s3"),
        ReadTimeoutError(endpoint_url="https://s3"),
        NoCredentialsError(),
    ],
    ids=lambda error: error.response["Error"]["Code"] if isinstance(error, ClientError) else type(error).__name__,
)
def test_every_error_is_an_outage_that_tells_nothing(s3: "S3Client", error: ClientError | BotoCoreError) -> None:
    def fail(**_: Any) -> None:
        raise error

    s3.meta.events.register("before-call.s3.PutObject", fail)
    with pytest.raises(QuarantineUnavailable) as raised:
        S3Quarantine(s3, bucket=BUCKET).put(QUARANTINED)
    assert SECRET not in str(raised.value)
    assert BUCKET in str(raised.value)
