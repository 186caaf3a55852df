"""The bucket that bundle and template go through: this account's own, private, and nobody else's by mistake.

A bucket's name is free for everybody to take, so each call says whose the bucket has to be.
docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
"""

from __future__ import annotations

import re
from base64 import b64encode
from hashlib import sha256
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.errors import translated
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CreateBucketRequestTypeDef

# docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]", re.ASCII)

NO_CONSTRAINT = "us-east-1"  # the region that CreateBucket wants unsaid


class CodeBucket(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket for bundles and templates.

    Attributes:
        name: Its name.
        account_id: Whose it must be.
        partition: `aws`, or another of AWS's, as ARNs have it.
        region: Where it must be: Lambda takes code from its own region only.
    """

    name: str
    account_id: str
    partition: str
    region: str


def check_bucket_name(name: str) -> None:
    """Check a bucket's name.

    Raises:
        UsageError: No bucket can have it.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"no name for a bucket: {name!r}; take 3 to 63 lower-case letters, digits, hyphens and dots")


def ensure_bucket(s3: S3Client, bucket: CodeBucket) -> bool:
    """Make the bucket, if it is not there, and close it to all but this account.

    Returns:
        Whether it was made. One that was there stays as it is.

    Raises:
        UsageError: It belongs to somebody else, or is in another region; or AWS denies it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    if _is_there(s3, bucket):
        return False
    with translated(f"making the bucket {bucket.name}"):
        request: CreateBucketRequestTypeDef = {"Bucket": bucket.name, "ObjectOwnership": "BucketOwnerEnforced"}
        if bucket.region != NO_CONSTRAINT:
            request["CreateBucketConfiguration"] = {"LocationConstraint": bucket.region}  # type: ignore[typeddict-item]  # the stubs list the regions of their day
        s3.create_bucket(**request)
        _close(s3, bucket)
    return True


def upload(s3: S3Client, bucket: CodeBucket, *, key: str, data: bytes) -> None:
    """Put an object whose key names its content; one that is there already, whole, is left.

    Raises:
        UsageError: The bucket is somebody else's, or AWS denies it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    checksum = b64encode(sha256(data).digest()).decode()
    if _checksum(s3, bucket, key) == checksum:
        return
    with translated(f"uploading {key} to the bucket {bucket.name}"):
        s3.put_object(
            Bucket=bucket.name, Key=key, Body=data, ChecksumSHA256=checksum, ExpectedBucketOwner=bucket.account_id
        )


def url(s3: S3Client, bucket: CodeBucket, *, key: str) -> str:
    """Return an object's address, as CloudFormation takes it."""
    return f"{s3.meta.endpoint_url.rstrip('/')}/{bucket.name}/{key}"


def _is_there(s3: S3Client, bucket: CodeBucket) -> bool:
    from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

    with translated(f"looking for the bucket {bucket.name}"):
        try:
            found = s3.head_bucket(Bucket=bucket.name, ExpectedBucketOwner=bucket.account_id)
        except ClientError as error:
            match _status(error):
                case HTTPStatus.NOT_FOUND:
                    return False
                case HTTPStatus.FORBIDDEN:
                    raise UsageError(
                        f"the bucket {bucket.name} is not of the account {bucket.account_id}, or these credentials may "
                        "not use it: name another --code-bucket"
                    ) from error
            raise
    region = found.get("BucketRegion", bucket.region)
    if region != bucket.region:
        raise UsageError(f"the bucket {bucket.name} is in {region}, and Lambda takes code from {bucket.region} only")
    return True


def _checksum(s3: S3Client, bucket: CodeBucket, key: str) -> str | None:
    """Return what S3 says of an object's content, or None: it is not there, or may not be looked at."""
    from botocore.exceptions import ClientError  # noqa: PLC0415 - heavy: see `pipeline.aws.clients`

    with translated(f"looking for {key} in the bucket {bucket.name}"):
        try:
            found = s3.head_object(
                Bucket=bucket.name, Key=key, ChecksumMode="ENABLED", ExpectedBucketOwner=bucket.account_id
            )
        except ClientError as error:
            # Without leave to list the bucket, S3 answers 403 for what is not there.
            if _status(error) in {HTTPStatus.NOT_FOUND, HTTPStatus.FORBIDDEN}:
                return None
            raise
    return found.get("ChecksumSHA256")


def _close(s3: S3Client, bucket: CodeBucket) -> None:
    whose: Any = {"Bucket": bucket.name, "ExpectedBucketOwner": bucket.account_id}
    s3.put_public_access_block(**whose, PublicAccessBlockConfiguration=_PRIVATE)
    s3.put_bucket_encryption(**whose, ServerSideEncryptionConfiguration=_ENCRYPTED)
    s3.put_bucket_policy(**whose, Policy=_policy(bucket))
    s3.put_bucket_lifecycle_configuration(**whose, LifecycleConfiguration={"Rules": [_UNFINISHED]})


def _policy(bucket: CodeBucket) -> str:
    arn = f"arn:{bucket.partition}:s3:::{bucket.name}"
    denial = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": [denial]}).decode()


_PRIVATE: Any = dict.fromkeys(
    ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
)
_ENCRYPTED: Any = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}

# Nothing else goes by itself: a stack that rolls back needs the bundle that it had before, however old that is.
_UNFINISHED: Any = {
    "ID": "unfinished-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
}


def _status(error: Any) -> int:
    status: int = error.response["ResponseMetadata"]["HTTPStatusCode"]
    return status
