"""The bucket for code belongs to the deploying account, is private, and is never another account's."""

import json
from base64 import b64encode
from collections.abc import Iterator
from hashlib import sha256
from typing import Any

import msgspec
import pytest
from botocore.stub import Stubber
from moto import mock_aws

from pipeline.aws.deployment.code_bucket import CodeBucket, check_bucket_name, ensure_bucket, upload, url
from pipeline.errors import AccessDenied, InvalidInput, ServiceUnavailable, UsageError
from tests.support.fake_service import ACCOUNT, REGION, client

MINE = CodeBucket(name="my-code", account_id=ACCOUNT, partition="aws", region=REGION)


@pytest.fixture
def s3() -> Iterator[Any]:
    with mock_aws():
        yield client("s3")


@pytest.fixture
def stubbed() -> Iterator[tuple[Any, Stubber]]:
    s3 = client("s3")
    with Stubber(s3) as stubber:
        yield s3, stubber
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize("name", ["abc", "my-code.of-2026", "a" * 63])
def test_what_s3_takes_as_a_name_is_taken(name: str) -> None:
    check_bucket_name(name)


@pytest.mark.parametrize(
    "name", ["", "ab", "a" * 64, "My-code", "my code", "-code", "code.", "a..b", "s3://x", "1.2.3.4"]
)
def test_what_s3_never_takes_as_a_name_is_told_at_once(name: str) -> None:
    with pytest.raises(UsageError, match=r"invalid bucket name"):
        check_bucket_name(name)


def test_a_bucket_that_is_not_there_is_made_and_closed(s3: Any) -> None:
    assert ensure_bucket(s3, MINE)
    name = {"Bucket": MINE.name}
    assert s3.get_bucket_location(**name)["LocationConstraint"] == REGION
    assert set(s3.get_public_access_block(**name)["PublicAccessBlockConfiguration"].values()) == {True}
    [rule] = s3.get_bucket_encryption(**name)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"] == {"SSEAlgorithm": "AES256"}
    [statement] = json.loads(s3.get_bucket_policy(**name)["Policy"])["Statement"]
    assert (statement["Effect"], statement["Condition"]) == ("Deny", {"Bool": {"aws:SecureTransport": "false"}})
    assert statement["Resource"] == ["arn:aws:s3:::my-code", "arn:aws:s3:::my-code/*"]
    [lifecycle] = s3.get_bucket_lifecycle_configuration(**name)["Rules"]
    assert "AbortIncompleteMultipartUpload" in lifecycle
    assert "Expiration" not in lifecycle
    assert s3.get_bucket_ownership_controls(**name)["OwnershipControls"]["Rules"] == [
        {"ObjectOwnership": "BucketOwnerEnforced"}
    ]
    assert "Status" not in s3.get_bucket_versioning(**name)


def test_the_oldest_region_is_named_by_not_naming_it(s3: Any) -> None:
    assert ensure_bucket(client("s3", "us-east-1"), msgspec.structs.replace(MINE, region="us-east-1"))


def test_a_bucket_that_is_there_stays_as_it_is(s3: Any) -> None:
    s3.create_bucket(Bucket=MINE.name, CreateBucketConfiguration={"LocationConstraint": REGION})
    assert not ensure_bucket(s3, MINE)
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket=MINE.name)


def test_somebody_elses_bucket_is_refused_and_every_call_says_whose_it_must_be(stubbed: tuple[Any, Stubber]) -> None:
    s3, stubber = stubbed
    owner = {"ExpectedBucketOwner": ACCOUNT}
    stubber.add_client_error("head_bucket", "403", "Forbidden", 403, expected_params={"Bucket": MINE.name, **owner})
    with pytest.raises(AccessDenied, match="the account 123456789012 does not own the bucket, name another"):
        ensure_bucket(s3, MINE)
    location = {"Bucket": MINE.name, "Key": "key", **owner}
    stubber.add_client_error(
        "head_object", "403", "Forbidden", 403, expected_params={**location, "ChecksumMode": "ENABLED"}
    )
    stubber.add_client_error(
        "put_object",
        "AccessDenied",
        "no",
        403,
        expected_params={**location, "Body": b"data", "ChecksumSHA256": sha256_in_base64(b"data")},
    )
    with pytest.raises(AccessDenied, match="AWS denies uploading key to the bucket my-code"):
        upload(s3, MINE, key="key", data=b"data")


def test_a_name_that_somebody_took_meanwhile_is_refused(stubbed: tuple[Any, Stubber]) -> None:
    s3, stubber = stubbed
    stubber.add_client_error("head_bucket", "404", "Not Found", 404)
    stubber.add_client_error("create_bucket", "BucketAlreadyExists", "taken", 409)
    with pytest.raises(InvalidInput, match="BucketAlreadyExists"):
        ensure_bucket(s3, MINE)


def test_a_bucket_elsewhere_is_refused(stubbed: tuple[Any, Stubber]) -> None:
    s3, stubber = stubbed
    stubber.add_response("head_bucket", {"BucketRegion": "us-east-1"})
    with pytest.raises(UsageError, match="is in us-east-1, and Lambda reads code only from eu-west-1"):
        ensure_bucket(s3, MINE)


@pytest.mark.parametrize("operation", ["head_bucket", "create_bucket"])
def test_an_outage_is_no_refusal(operation: str, stubbed: tuple[Any, Stubber]) -> None:
    s3, stubber = stubbed
    if operation == "create_bucket":
        stubber.add_client_error("head_bucket", "404", "Not Found", 404)
    stubber.add_client_error(operation, "SlowDown", "slow", 503)
    with pytest.raises(ServiceUnavailable):
        ensure_bucket(s3, MINE)


def test_what_is_there_already_is_not_uploaded_again_and_what_is_there_in_part_is(s3: Any) -> None:
    s3.create_bucket(Bucket=MINE.name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=MINE.name, Key="key", Body=b"da")
    upload(s3, MINE, key="key", data=b"data")
    first = s3.head_object(Bucket=MINE.name, Key="key")["LastModified"]
    with Stubber(s3) as stubber:  # one request, and no more
        stubber.add_response("head_object", {"ChecksumSHA256": sha256_in_base64(b"data"), "LastModified": first})
        upload(s3, MINE, key="key", data=b"data")
    assert s3.get_object(Bucket=MINE.name, Key="key")["Body"].read() == b"data"


def test_cloudformation_is_told_where_it_is(s3: Any) -> None:
    assert url(s3, MINE, key="template.yaml") == "https://s3.eu-west-1.amazonaws.com/my-code/template.yaml"


def sha256_in_base64(data: bytes) -> str:
    return b64encode(sha256(data).digest()).decode()
