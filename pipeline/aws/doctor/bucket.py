"""The log's bucket: nobody outside sees it, it is encrypted, and what is replaced can be brought back.

docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, fault, warning

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def check_public_access(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether the bucket is there, and closed to the public."""
    s3: S3Client = deployment.client("s3")
    name = deployment.output("LogBucket")
    if unless_missing(s3.get_bucket_versioning, Bucket=name) is None:
        words = f"the bucket {name} is gone, and the log with it"
        yield fault("bucket_missing", words, mending="see in CloudTrail who deleted it; no command brings it back")
        return
    answer = unless_missing(s3.get_public_access_block, Bucket=name) or {}
    blocked = answer.get("PublicAccessBlockConfiguration", {})
    if not all(blocked.get(block) for block in BLOCKS):
        settings = ",".join(f"{block}=true" for block in BLOCKS)
        yield fault(
            "bucket_open",
            f"the bucket {name}, which holds addresses, could be opened to the public",
            mending=deployment.aws(
                f"s3api put-public-access-block --bucket {name} --public-access-block-configuration {settings}"
            ),
        )


def check_tls(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether the bucket may be read without TLS. At rest S3 encrypts everything by itself."""
    s3: S3Client = deployment.client("s3")
    name = deployment.output("LogBucket")
    policy = unless_missing(s3.get_bucket_policy, Bucket=name)
    if policy is None or not any(_asks_for_tls(one) for one in msgspec.json.decode(policy["Policy"])["Statement"]):
        yield warning(
            "bucket_without_tls",
            f"the bucket {name} may be read without TLS",
            mending="put its policy back, as infra/mailfold.yaml has it under LogBucketPolicy",
        )


def check_versioning(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether what is deleted or replaced by mistake can be brought back."""
    s3: S3Client = deployment.client("s3")
    name = deployment.output("LogBucket")
    answer = unless_missing(s3.get_bucket_versioning, Bucket=name)
    if answer is not None and answer.get("Status") != "Enabled":
        yield fault(
            "bucket_not_versioned",
            f"an object of the log that is deleted by mistake is gone: versioning of the bucket {name} is off",
            mending=deployment.aws(
                f"s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled"
            ),
        )


def _asks_for_tls(statement: Mapping[str, Any]) -> bool:
    return statement["Effect"] == "Deny" and statement.get("Condition", {}).get("Bool", {}).get(
        "aws:SecureTransport"
    ) in {"false", False}
