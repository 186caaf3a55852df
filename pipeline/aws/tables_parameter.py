"""Changes of the parameter that names the live table: each is one write, and a lost race is noticed.

Systems Manager has no conditional write. It numbers the versions of a parameter, so the number that a write returns
shows whether another process wrote in between.
docs.aws.amazon.com/systems-manager/latest/APIReference/API_PutParameter.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from pipeline.aws.errors import translated
from pipeline.aws.stack import SuppressionTables, create_tables, format_tables, parse_tables
from pipeline.errors import UsageError

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
    with translated("changing which tables are written"):
        written = ssm.put_parameter(Name=parameter, Value=format_tables(changed), Type="String", Overwrite=True)
    if written["Version"] != current["Version"] + 1:
        raise UsageError(
            f"the parameter {parameter} was changed at the same time: compare its versions, correct the newest, and "
            "repeat the command"
        )
    return changed
