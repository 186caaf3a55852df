"""Logs that deleted stacks of the same name left, for a new stack to adopt.

The template names the log's bucket by CloudFormation, so a new stack has a new bucket. CloudFormation imports only
existing resources that the template names, so the events are copied: `ingest` stores each in the new log by its own
day, and none twice. The kept table stays the live one if the parameter beside the stack still names it.
docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/import-resources-automatically.html
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pipeline.aws.clients import Clients
from pipeline.aws.deployment.retained import RetainedKind, retained_resources
from pipeline.aws.errors import translated

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

EVENTS = "events/"  # prefix of the log in its bucket


def kept_logs(clients: Clients, *, stack: str) -> tuple[str, ...]:
    """Return the buckets with a log that deleted stacks of this name left. An empty log is left out.

    Raises:
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    resources = retained_resources(clients, stack=stack)
    buckets = (resource.id for resource in resources if resource.kind is RetainedKind.BUCKET)
    return tuple(bucket for bucket in buckets if _has_events(clients.s3, bucket))


def _has_events(s3: S3Client, bucket: str) -> bool:
    with translated(f"listing the bucket {bucket}"):
        return bool(s3.list_objects_v2(Bucket=bucket, Prefix=EVENTS, MaxKeys=1).get("Contents"))
