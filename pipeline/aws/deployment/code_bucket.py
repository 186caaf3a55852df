"""The private S3 bucket for bundle and template, in the account of the deployment.

Bucket names are global, so every request names the account that must own the bucket.
docs.aws.amazon.com/AmazonS3/latest/userguide/bucket-owner-condition.html
"""

from __future__ import annotations

import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.deployment.bundle import Bundle
from pipeline.aws.errors import missing_ok, translated
from pipeline.errors import AccessDenied, UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_s3.type_defs import CreateBucketRequestTypeDef

# docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html
_NAME = re.compile(r"(?!\d+\.\d+\.\d+\.\d+$)[a-z0-9](?:[a-z0-9-]|\.(?!\.)){1,61}[a-z0-9]", re.ASCII)

NO_CONSTRAINT = "us-east-1"  # CreateBucket rejects this region as a location constraint

_PRIVATE: Any = dict.fromkeys(
    ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
)
_ENCRYPTED: Any = {"Rules": [{"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}

# No object expires: a stack that rolls back needs its previous bundle, however old that is.
_ABORT_UPLOADS: Any = {
    "ID": "unfinished-uploads",
    "Status": "Enabled",
    "Filter": {"Prefix": ""},
    "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
}


class CodeBucket(msgspec.Struct, frozen=True, kw_only=True):
    """A bucket for bundles and templates.

    Attributes:
        name: Name of the bucket.
        account_id: Account that must own it.
        partition: Partition of ARNs, `aws` or another one.
        region: Region that it must be in: Lambda reads code only from its own region.
    """

    name: str
    account_id: str
    partition: str
    region: str


class CodeObject(msgspec.Struct, frozen=True, kw_only=True):
    """A bundle in S3, in the template's parameters `CodeBucket` and `CodeKey`.

    Attributes:
        bucket: Bucket in the region of the stack.
        key: Key of the object.
    """

    bucket: str
    key: str


def check_code(s3: S3Client, code: CodeObject) -> None:
    """Check that a bundle exists, of whatever account.

    Raises:
        NotFound: It does not.
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    with translated(f"reading the bundle {code.key} in the bucket {code.bucket}"):
        s3.head_object(Bucket=code.bucket, Key=code.key)


def check_bucket_name(name: str) -> None:
    """Check the name of a bucket.

    Raises:
        UsageError: The name is invalid.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"invalid bucket name {name!r}: use 3 to 63 lower-case letters, digits, hyphens and single dots"
        )


def ensure_bucket(s3: S3Client, bucket: CodeBucket, *, tags: Mapping[str, str] = MappingProxyType({})) -> bool:
    """Create the bucket with these tags if it does not exist, and block access from other accounts.

    Returns:
        True if the bucket was created. An existing one is not changed.

    Raises:
        UsageError: The bucket is in another region.
        AccessDenied: Another account owns the bucket, or AWS denies a request.
        InvalidInput: Another account has created it in the meantime.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    if _exists(s3, bucket):
        return False
    with translated(f"creating the bucket {bucket.name}"):
        request: CreateBucketRequestTypeDef = {"Bucket": bucket.name, "ObjectOwnership": "BucketOwnerEnforced"}
        if bucket.region != NO_CONSTRAINT:
            request["CreateBucketConfiguration"] = {"LocationConstraint": bucket.region}  # type: ignore[typeddict-item]  # the stubs list the regions of their day
        s3.create_bucket(**request)
        _make_private(s3, bucket)
        if tags:
            tag_set: Any = [{"Key": key, "Value": value} for key, value in tags.items()]
            s3.put_bucket_tagging(
                Bucket=bucket.name, ExpectedBucketOwner=bucket.account_id, Tagging={"TagSet": tag_set}
            )
    return True


def _exists(s3: S3Client, bucket: CodeBucket) -> bool:
    try:
        with translated(f"reading the bucket {bucket.name}"):
            head = missing_ok(lambda: s3.head_bucket(Bucket=bucket.name, ExpectedBucketOwner=bucket.account_id))
    except AccessDenied as error:
        raise AccessDenied(
            f"{error}. If the account {bucket.account_id} does not own the bucket, name another --code-bucket"
        ) from error
    if head is None:
        return False
    region = head.get("BucketRegion", bucket.region)
    if region != bucket.region:
        raise UsageError(
            f"the bucket {bucket.name} is in {region}, and Lambda reads code only from {bucket.region}: "
            "name another --code-bucket"
        )
    return True


def _make_private(s3: S3Client, bucket: CodeBucket) -> None:
    owned: Any = {"Bucket": bucket.name, "ExpectedBucketOwner": bucket.account_id}
    s3.put_public_access_block(**owned, PublicAccessBlockConfiguration=_PRIVATE)
    s3.put_bucket_encryption(**owned, ServerSideEncryptionConfiguration=_ENCRYPTED)
    s3.put_bucket_policy(**owned, Policy=_tls_only_policy(bucket))
    s3.put_bucket_lifecycle_configuration(**owned, LifecycleConfiguration={"Rules": [_ABORT_UPLOADS]})


def _tls_only_policy(bucket: CodeBucket) -> str:
    arn = f"arn:{bucket.partition}:s3:::{bucket.name}"
    denial = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [arn, f"{arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return msgspec.json.encode({"Version": "2012-10-17", "Statement": [denial]}).decode()


def upload_bundle(s3: S3Client, bucket: CodeBucket, bundle: Bundle) -> CodeObject:
    """Upload a bundle under its hash, so that a changed one has another key. See `upload`."""
    code = CodeObject(bucket=bucket.name, key=f"bundle-{bundle.sha256}.zip")
    upload(s3, bucket, key=code.key, data=bundle.data)
    return code


def upload(s3: S3Client, bucket: CodeBucket, *, key: str, data: bytes) -> None:
    """Put an object whose key contains the hash of its content. An equal one that exists is not uploaded again.

    Raises:
        AccessDenied: Another account owns the bucket, or AWS denies the request.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    checksum = b64encode(sha256(data).digest()).decode()
    if _stored_checksum(s3, bucket, key) == checksum:
        return
    with translated(f"uploading {key} to the bucket {bucket.name}"):
        s3.put_object(
            Bucket=bucket.name, Key=key, Body=data, ChecksumSHA256=checksum, ExpectedBucketOwner=bucket.account_id
        )


def _stored_checksum(s3: S3Client, bucket: CodeBucket, key: str) -> str | None:
    """Return the checksum of an object, or None if it does not exist or may not be read."""
    with translated(f"reading {key} in the bucket {bucket.name}"):
        head = missing_ok(
            lambda: s3.head_object(
                Bucket=bucket.name, Key=key, ChecksumMode="ENABLED", ExpectedBucketOwner=bucket.account_id
            ),
            "403",  # S3's answer for an object that does not exist, if the caller may not list the bucket
        )
    return head.get("ChecksumSHA256") if head else None


def url(s3: S3Client, bucket: CodeBucket, *, key: str) -> str:
    """Return the URL of an object in the form that CloudFormation accepts."""
    return f"{s3.meta.endpoint_url.rstrip('/')}/{bucket.name}/{key}"
