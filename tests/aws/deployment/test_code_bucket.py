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
    """A client of moto."""
    with mock_aws():
        yield client("s3")


@pytest.fixture
def stubbed() -> Iterator[tuple[Any, Stubber]]:
    """A client with a stub, whose responses must all be used."""
    s3 = client("s3")
    with Stubber(s3) as stubber:
        yield s3, stubber
        stubber.assert_no_pending_responses()


@pytest.mark.parametrize("name", ["abc", "my-code.of-2026", "a" * 63])
def test_a_valid_bucket_name_is_accepted(name: str) -> None:
    """Names that S3 accepts are accepted."""
    check_bucket_name(name)


@pytest.mark.parametrize(
    "name", ["", "ab", "a" * 64, "My-code", "my code", "-code", "code.", "a..b", "s3://x", "1.2.3.4"]
)
def test_an_invalid_bucket_name_is_rejected(name: str) -> None:
    """Names that S3 rejects are rejected without a request."""
    with pytest.raises(UsageError, match=r"invalid bucket name"):
        check_bucket_name(name)


def test_a_missing_bucket_is_created_private(s3: Any) -> None:
    """A new bucket is private, encrypted, tagged and limited to TLS, and keeps its objects."""
    assert ensure_bucket(s3, MINE, tags={"team": "mail"})
    name = {"Bucket": MINE.name}
    assert s3.get_bucket_tagging(**name)["TagSet"] == [{"Key": "team", "Value": "mail"}]
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


def test_a_bucket_in_us_east_1_has_no_location_constraint(s3: Any) -> None:
    """CreateBucket rejects us-east-1 as a location constraint."""
    assert ensure_bucket(client("s3", "us-east-1"), msgspec.structs.replace(MINE, region="us-east-1"))


def test_an_existing_bucket_is_not_changed(s3: Any) -> None:
    """A bucket that exists gets no policy."""
    s3.create_bucket(Bucket=MINE.name, CreateBucketConfiguration={"LocationConstraint": REGION})
    assert not ensure_bucket(s3, MINE)
    with pytest.raises(s3.exceptions.ClientError, match="NoSuchBucketPolicy"):
        s3.get_bucket_policy(Bucket=MINE.name)


def test_a_bucket_of_another_account_is_rejected(stubbed: tuple[Any, Stubber]) -> None:
    """Every request names the expected owner, and a denial advises another bucket."""
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


def test_a_name_taken_in_the_meantime_is_rejected(stubbed: tuple[Any, Stubber]) -> None:
    """Another account may create the bucket between two requests."""
    s3, stubber = stubbed
    stubber.add_client_error("head_bucket", "404", "Not Found", 404)
    stubber.add_client_error("create_bucket", "BucketAlreadyExists", "taken", 409)
    with pytest.raises(InvalidInput, match="BucketAlreadyExists"):
        ensure_bucket(s3, MINE)


def test_a_bucket_in_another_region_is_rejected(stubbed: tuple[Any, Stubber]) -> None:
    """Lambda reads code only from its own region."""
    s3, stubber = stubbed
    stubber.add_response("head_bucket", {"BucketRegion": "us-east-1"})
    with pytest.raises(UsageError, match="is in us-east-1, and Lambda reads code only from eu-west-1"):
        ensure_bucket(s3, MINE)


@pytest.mark.parametrize("operation", ["head_bucket", "create_bucket"])
def test_throttling_is_reported_as_unavailable(operation: str, stubbed: tuple[Any, Stubber]) -> None:
    """S3's SlowDown is neither a denial nor a usage error."""
    s3, stubber = stubbed
    if operation == "create_bucket":
        stubber.add_client_error("head_bucket", "404", "Not Found", 404)
    stubber.add_client_error(operation, "SlowDown", "slow", 503)
    with pytest.raises(ServiceUnavailable):
        ensure_bucket(s3, MINE)


def test_an_equal_object_is_not_uploaded_again(s3: Any) -> None:
    """An object with another checksum is replaced, and an equal one is only read."""
    s3.create_bucket(Bucket=MINE.name, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_object(Bucket=MINE.name, Key="key", Body=b"da")
    upload(s3, MINE, key="key", data=b"data")
    first = s3.head_object(Bucket=MINE.name, Key="key")["LastModified"]
    with Stubber(s3) as stubber:  # one request, and no more
        stubber.add_response("head_object", {"ChecksumSHA256": sha256_in_base64(b"data"), "LastModified": first})
        upload(s3, MINE, key="key", data=b"data")
    assert s3.get_object(Bucket=MINE.name, Key="key")["Body"].read() == b"data"


def test_the_url_has_the_form_that_cloudformation_accepts(s3: Any) -> None:
    """The URL has the regional endpoint, the bucket and the key."""
    assert url(s3, MINE, key="template.yaml") == "https://s3.eu-west-1.amazonaws.com/my-code/template.yaml"


def sha256_in_base64(data: bytes) -> str:
    """Return the checksum as S3 writes it."""
    return b64encode(sha256(data).digest()).decode()
