"""The policy in force, and where it comes from: the parameter beside the stack, the template, or the environment.

docs.aws.amazon.com/systems-manager/latest/APIReference/API_GetParameter.html
"""

from __future__ import annotations

from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.errors import missing_ok, translated
from pipeline.aws.stack import POLICY_PARAMETER, Stack, parse_tables
from pipeline.policy import DEFAULT_POLICY, Policy

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


class PolicySource(StrEnum):
    """Where the policy in force comes from."""

    PARAMETER = "parameter"
    TEMPLATE = "template"
    ENVIRONMENT = "environment"
    DEFAULT = "default"


class PolicyInForce(msgspec.Struct, frozen=True, kw_only=True):
    """The policy in force.

    Attributes:
        policy: The policy.
        source: Where it comes from.
        parameter: The name of the parameter that names the live table; None if there is none.
        changed_at: When that parameter was last written, with this policy or with another table; None if the policy is
            not in it.
    """

    policy: Policy
    source: PolicySource
    parameter: str | None
    changed_at: datetime | None = None


def policy_in_force(ssm: SSMClient, *, parameter: str | None, own: Policy, stack: Stack | None) -> PolicyInForce:
    """Return the policy in force: the newer of the published one and `own`.

    Args:
        ssm: boto3's SSM client.
        parameter: The parameter that names the live table, if it is known.
        own: The policy of the stack's template or of the environment.
        stack: The stack; None if the environment names the table.

    Raises:
        UsageError: The parameter is invalid.
        AccessDenied: AWS denies reading it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    if parameter:
        with translated("reading the policy in force"):
            response = missing_ok(lambda: ssm.get_parameter(Name=parameter))
        tables = parse_tables(response["Parameter"]["Value"]) if response else None
        if response and tables and tables.policy and tables.policy == tables.newest_policy(own):
            changed_at = response["Parameter"]["LastModifiedDate"].astimezone(UTC)
            return PolicyInForce(
                policy=tables.policy, source=PolicySource.PARAMETER, parameter=parameter, changed_at=changed_at
            )
    return PolicyInForce(policy=own, source=_source(own, stack), parameter=parameter)


def _source(own: Policy, stack: Stack | None) -> PolicySource:
    if stack and stack.parameters.get(POLICY_PARAMETER):
        return PolicySource.TEMPLATE
    return PolicySource.DEFAULT if own == DEFAULT_POLICY else PolicySource.ENVIRONMENT
