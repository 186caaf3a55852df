"""What is to be deployed, where to, and who is told and asked."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from pipeline.aws.deployment.change_set import ChangeSet
from pipeline.aws.deployment.stack_event import StackEvent
from pipeline.aws.stack import Stack

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_ssm import SSMClient
    from mypy_boto3_sts import STSClient


class Clients(msgspec.Struct, frozen=True, kw_only=True):
    """boto3's clients of one account and region."""

    athena: AthenaClient
    cloudformation: CloudFormationClient
    dynamodb: DynamoDBClient
    s3: S3Client
    ssm: SSMClient
    sts: STSClient


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be deployed.

    Attributes:
        stack: The stack's name.
        parameters: The template's, by name; those of the code are set here. What is not given stays as it is.
        code_bucket: Where bundle and template are uploaded to; None: a bucket of this account and region.
        dry_run: Whether to stop when the change set is known.
        views: Whether to bring Athena's views and saved queries up to date.
    """

    stack: str
    parameters: Mapping[str, str] = {}
    code_bucket: str | None = None
    dry_run: bool = False
    views: bool = True


class Operator(Protocol):
    """Whoever deploys."""

    def told(self, step: str) -> None:
        """Hear what is being done now."""

    def changes(self, found: ChangeSet | None) -> None:
        """See what would be done; None: nothing."""

    def agrees(self) -> bool:
        """Say whether to do it. Not asked on a dry run."""

    def began(self, found: ChangeSet) -> None:
        """Hear that CloudFormation does it from now on, whether or not anybody goes on looking."""

    def happened(self, event: StackEvent) -> None:
        """Hear what CloudFormation did."""

    def agrees_to_delete(self, stack: Stack) -> bool:
        """Say whether to delete a stack whose making failed, so that it can be made anew."""
