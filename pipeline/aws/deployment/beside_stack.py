"""The resources beside the stack: termination protection, the parameter of the live table, Athena's views and queries.

CloudFormation owns none of them, because an update of the stack would reset them.
"""

from __future__ import annotations

from collections.abc import Callable

from pipeline.aws.clients import Clients
from pipeline.aws.deployment.athena import AthenaCatalog, create_queries, create_views, require_views
from pipeline.aws.errors import translated
from pipeline.aws.stack import (
    POLICY_PARAMETER,
    Stack,
    SuppressionTables,
    create_tables,
    missing_tables,
    read_tables,
    to_policy,
)
from pipeline.errors import DeploymentFailed, MailfoldError, NotFound


def complete(stack: Stack, clients: Clients, report_step: Callable[[str], None], *, views: bool) -> None:
    """Protect the stack, and create what it needs beside it. Safe to repeat: what exists is kept or updated.

    Args:
        stack: The stack, which exists by now.
        clients: Clients of its account and region.
        report_step: Called with each step that begins.
        views: Whether to update Athena's views and saved queries.

    Raises:
        DeploymentFailed: A resource could not be created. The message contains the reason.
    """
    try:
        _protect(stack, clients, report_step)
        _set_live_table(stack, clients, report_step)
        if views:
            _update_athena(stack, clients, report_step)
    except MailfoldError as error:
        raise DeploymentFailed(
            f"the stack {stack.name} is {stack.status}, but the resources beside it are not complete: {error}. "
            "Correct that and deploy again"
        ) from error


def _protect(stack: Stack, clients: Clients, report_step: Callable[[str], None]) -> None:
    report_step("protecting the stack from deletion")
    with translated("protecting the stack from deletion"):
        clients.cloudformation.update_termination_protection(StackName=stack.id, EnableTerminationProtection=True)


def _set_live_table(stack: Stack, clients: Clients, report_step: Callable[[str], None]) -> None:
    """Create the parameter that names the live table. One that exists is kept, but its tables must exist."""
    report_step("naming the live table")
    parameter = stack.output("TablesParameter")
    own_table, document = stack.output("SuppressionTable"), stack.parameters.get(POLICY_PARAMETER)
    own_tables = SuppressionTables(live=own_table, policy=to_policy(document) if document else None)
    if create_tables(clients.ssm, parameter=parameter, tables=own_tables, tags=stack.tags):
        return
    tables = read_tables(clients.ssm, parameter=parameter)
    if tables and tables.live != own_table:
        report_step(f"the live table is {tables.live}, which the parameter {parameter} names")
    if tables and (missing := missing_tables(clients.dynamodb, tables)):  # left by a deleted stack of the same name
        raise NotFound(
            f"the parameter {parameter} names tables that do not exist, so feedback cannot be stored: "
            f"{', '.join(missing)}. Delete it with `aws ssm delete-parameter --name {parameter} --region "
            f"{stack.region}` to make the stack's own table the live one"
        )


def _update_athena(stack: Stack, clients: Clients, report_step: Callable[[str], None]) -> None:
    catalog = AthenaCatalog(database=stack.output("Database"), workgroup=stack.output("Workgroup"))
    report_step("updating Athena's views and saved queries")
    views = create_views(clients.athena, catalog)
    for view in views:
        report_step(f"Athena {'rejected' if view.failure else 'has'} the view {view.name}")
    for name in create_queries(clients.athena, catalog):
        report_step(f"Athena has the query {name}")
    require_views(views)
