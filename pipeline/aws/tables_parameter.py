"""Changes of the parameter that names the live table: each is one write, and a lost race is noticed.

docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.errors import missing_ok, translated
from pipeline.aws.stack import SuppressionTables, create_tables, format_tables, parse_tables
from pipeline.errors import UsageError
from pipeline.policy import Policy

if TYPE_CHECKING:
    from mypy_boto3_ssm import SSMClient


def change_tables(
    ssm: SSMClient,
    *,
    parameter: str,
    default: SuppressionTables,
    change: Callable[[SuppressionTables], SuppressionTables],
) -> SuppressionTables:
    """Change the tables that the parameter names, in one write, and return them. Safe to repeat.

    Args:
        ssm: boto3's client of Systems Manager.
        parameter: The name of the parameter.
        default: Its value if it does not exist; it is created then.
        change: Returns the new tables, and the same ones if they are as they must be. It may raise `UsageError`.

    Raises:
        UsageError: The parameter is invalid, or was changed by another process at the same time.
        InvalidInput: The value is longer than Systems Manager allows, because of the policies.
        AccessDenied: AWS denies reading or writing it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    create_tables(ssm, parameter=parameter, tables=default)
    with translated("reading which table is live"):
        current = ssm.get_parameter(Name=parameter)["Parameter"]
    tables = parse_tables(current["Value"])
    changed = change(tables)
    if changed == tables:
        return tables
    write_tables(ssm, parameter=parameter, tables=changed, last_version=current["Version"])
    return changed


def publish_policy(ssm: SSMClient, *, parameter: str, policy: Policy) -> bool:
    """Publish a policy in the parameter that names the live table, so that it outlives a rollback of the stack.

    Returns:
        Whether the parameter exists. `create_tables` publishes the policy of a new deployment.

    Raises:
        UsageError: A newer policy is in force, to which a table never returns, or another one of the same version. A
            rebuild under another policy is not over. Or the parameter is invalid, or was changed at the same time.
        AccessDenied: AWS denies it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated("reading which table is live"):
        response = missing_ok(lambda: ssm.get_parameter(Name=parameter))
    if response is None:
        return False
    tables, version = parse_tables(response["Parameter"]["Value"]), response["Parameter"]["Version"]
    if tables.policy == policy:
        return True
    if tables.policy:
        newer_than_in_force(policy, tables.policy)
    if tables.shadow_policy:  # each of both tables keeps its own policy until then
        raise UsageError(
            "a rebuild under another policy is not over: end it with `mailfold rebuild --finish` or --cancel"
        )
    write_tables(ssm, parameter=parameter, tables=msgspec.structs.replace(tables, policy=policy), last_version=version)
    return True


def write_tables(ssm: SSMClient, *, parameter: str, tables: SuppressionTables, last_version: int) -> None:
    """Write the tables into the parameter, and notice a lost race.

    Systems Manager has no conditional write. It numbers the versions of a parameter, so the number that a write returns
    shows whether another process wrote in between.

    Args:
        ssm: boto3's client of Systems Manager.
        parameter: The name of the parameter, which exists.
        tables: The tables.
        last_version: The version from which they were derived.

    Raises:
        UsageError: Another process changed the parameter at the same time.
        InvalidInput: The value is longer than Systems Manager allows, because of the policies.
        AccessDenied: AWS denies it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated("changing which tables are written, and under which policy"):
        written = ssm.put_parameter(Name=parameter, Value=format_tables(tables), Type="String", Overwrite=True)
    if written["Version"] != last_version + 1:
        raise UsageError(
            f"the parameter {parameter} was changed at the same time: compare its versions, correct the newest, and "
            "repeat the command"
        )


def newer_than_in_force(policy: Policy, in_force: Policy) -> Policy:
    """Return the policy if it may replace the one in force, or is that one.

    Raises:
        UsageError: Its version is not greater. Items would keep the verdicts of the other one.
    """
    if policy != in_force and policy.version <= in_force.version:
        raise UsageError(
            f"a policy of version {in_force.version} is in force: give the new one a greater version than that"
        )
    return policy
