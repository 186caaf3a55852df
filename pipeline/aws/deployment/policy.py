"""The policy in the template's parameter, and the published one, which `mailfold policy apply` may have made newer.

The newer of both is in force. So a deployment that leaves the template's as it is leaves the published one in force,
and one that changes it must give it a greater version than that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.aws.stack import read_tables, to_policy
from pipeline.aws.tables_parameter import newer_than_in_force, publish_policy

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


def publish_template_policy(
    ssm: SSMClient, *, parameter: str, document: str, previous: str, report_step: Callable[[str], None]
) -> None:
    """Publish the policy of the template's parameter, unless it is as before and a newer one is in force.

    Args:
        ssm: boto3's SSM client.
        parameter: The parameter that names the live table.
        document: The value of the template's parameter.
        previous: Its value before the deployment.
        report_step: Called with what is done.

    Raises:
        UsageError: It is another one than before, and its version is not greater than that of the policy in force. Or
            as for `tables_parameter.publish_policy`.
        AccessDenied: AWS denies it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    policy, policy_before = to_policy(document), to_policy(previous)
    tables = read_tables(ssm, parameter=parameter)
    in_force = tables.newest_policy(policy_before) if tables else policy_before
    if policy == policy_before and in_force.version > policy.version:
        report_step(f"keeping the published policy of version {in_force.version}: the template's is older")
        return
    report_step("publishing the policy")
    publish_policy(ssm, parameter=parameter, policy=newer_than_in_force(policy, in_force))
