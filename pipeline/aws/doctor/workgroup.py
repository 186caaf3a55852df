"""What the log is asked by: the Athena workgroup, and the views.

docs.aws.amazon.com/athena/latest/APIReference/API_WorkGroupConfiguration.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.aws import schema
from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, fault, warning

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_glue import GlueClient

NO_WORKGROUP = frozenset({"InvalidRequestException"})  # Athena has no other code for a name that nothing has


def check_workgroup(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether queries may run, how much they may read, and where answers go."""
    athena: AthenaClient = deployment.client("athena")
    name = deployment.output("Workgroup")
    answer = unless_missing(athena.get_work_group, missing=NO_WORKGROUP, WorkGroup=name)
    if answer is None:
        yield fault("workgroup_missing", f"the Athena workgroup {name} is gone", mending=_restore())
        return
    workgroup = answer["WorkGroup"]
    configuration = workgroup.get("Configuration", {})
    if workgroup.get("State") != "ENABLED":
        mending = deployment.aws(f"athena update-work-group --work-group {name} --state ENABLED")
        yield fault("workgroup_disabled", f"the Athena workgroup {name} is disabled", mending=mending)
    if not (
        configuration.get("ManagedQueryResultsConfiguration", {}).get("Enabled")
        or configuration.get("ResultConfiguration", {}).get("OutputLocation")
    ):
        yield fault("workgroup_without_results", f"answers of {name} have nowhere to go", mending=_restore())
    if not configuration.get("BytesScannedCutoffPerQuery"):
        words = f"a query in {name} may read, and cost, without limit"
        yield warning("workgroup_without_limit", words, mending=_restore())


def check_views(deployment: Deployment) -> Iterator[Finding]:
    """Look for each view of schemas/views."""
    glue: GlueClient = deployment.client("glue")
    database = deployment.output("Database")
    pages = glue.get_paginator("get_tables").paginate(DatabaseName=database)
    there = {table["Name"] for page in pages for table in page["TableList"]}
    wanted = {file.stem for file in schema.folder().joinpath("views").glob("*.sql")}
    if missing := sorted(wanted - there):
        words = f"the database {database} lacks views for common questions: {', '.join(missing)}"
        yield warning("views_missing", words, mending=deployment.mailfold("deploy"))


def _restore() -> str:
    return "put it back as infra/mailfold.yaml has it under Workgroup"
