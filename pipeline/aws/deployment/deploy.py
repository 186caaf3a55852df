"""Deploy Mailfold from this package to a working stack, step by step.

Every step is safe to repeat: existing resources are kept or updated, and missing ones are created. The operator sees
each step, and confirms before the stack changes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

import msgspec

from pipeline.aws.clients import Clients
from pipeline.aws.deployment.athena import AthenaCatalog, create_queries, create_views, require_views
from pipeline.aws.deployment.bundle import Bundle, build_bundle
from pipeline.aws.deployment.change_set import ChangeSet, create_change_set, discard, execute
from pipeline.aws.deployment.code_bucket import CodeBucket, ensure_bucket, upload, url
from pipeline.aws.deployment.events import POLL_SECONDS, StackEvent, follow, newest_event
from pipeline.aws.deployment.parameters import check_name, check_parameters, parameter_values
from pipeline.aws.deployment.stack_status import prepare_stack
from pipeline.aws.deployment.template import Template, load_template
from pipeline.aws.errors import translated
from pipeline.aws.stack import (
    POLICY_PARAMETER,
    Stack,
    SuppressionTables,
    create_tables,
    deployed_stack,
    missing_tables,
    publish_policy,
    read_tables,
)
from pipeline.errors import DeploymentFailed, MailfoldError, NotFound
from pipeline.policy import DEFAULT_POLICY, Policy, parse_policy


class DeploymentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to deploy.

    Attributes:
        stack: Name of the stack.
        parameters: Template parameters by name, without those of the code. A parameter that is missing keeps its value.
        code_bucket: Bucket for bundle and template. None: a bucket named after the account and the region.
        dry_run: Whether to stop once the change set is shown.
        views: Whether to update Athena's views and saved queries.
    """

    stack: str
    parameters: Mapping[str, str] = {}
    code_bucket: str | None = None
    dry_run: bool = False
    views: bool = True


class Operator(Protocol):
    """Operator callbacks of a deployment."""

    def report_step(self, step: str) -> None:
        """Report the step that begins now."""

    def show_changes(self, change_set: ChangeSet | None) -> None:
        """Show the changes; None: there are none."""

    def confirm(self) -> bool:
        """Return True to execute the change set. Not called on a dry run."""

    def execution_started(self, change_set: ChangeSet) -> None:
        """Note that CloudFormation executes the change set from now on, even if this process ends."""

    def show_event(self, event: StackEvent) -> None:
        """Show an event of the stack."""

    def confirm_deletion(self, stack: Stack) -> bool:
        """Return True to delete a stack whose creation failed, so that it can be created again."""


def deploy(
    request: DeploymentRequest,
    clients: Clients,
    operator: Operator,
    *,
    bundle: Bundle | None = None,
    poll_seconds: float = POLL_SECONDS,
) -> Stack | None:
    """Create or update a stack and the resources beside it.

    Args:
        request: What to deploy.
        clients: Clients of the account and region to deploy to.
        operator: Sees each step and confirms the changes.
        bundle: Code of the Lambda functions. None: it is built for the template's runtime.
        poll_seconds: Time between two reads of the stack's events.

    Returns:
        The stack, or None on a dry run and if the operator declines.

    Raises:
        UsageError: The request is wrong, or the stack does not belong to Mailfold.
        InvalidInput: The stack is in a state that allows no deployment, or AWS rejects a request.
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        DeploymentFailed: CloudFormation started and failed, or a resource beside the stack could not be created.
        Unavailable: AWS throttles, fails or cannot be reached.
    """
    template = load_template()
    check_name(request.stack)
    check_parameters(request.parameters, template=template)
    cloudformation = clients.cloudformation  # created before the first step, so that missing credentials come first
    operator.report_step("reading the stack")
    stack = prepare_stack(
        cloudformation,
        name=request.stack,
        may_delete=lambda failed: not request.dry_run and operator.confirm_deletion(failed),
    )
    operator.report_step("building the bundle")
    bundle = bundle or build_bundle(runtime=template.runtime)
    change_set = _prepare_change_set(request, clients, operator, stack=stack, template=template, bundle=bundle)
    if not _apply(request, clients, operator, change_set, stack=stack, poll_seconds=poll_seconds):
        return None
    deployed = deployed_stack(clients.cloudformation, name=request.stack)
    _complete(deployed, clients, operator, views=request.views)
    return deployed


def _prepare_change_set(
    request: DeploymentRequest,
    clients: Clients,
    operator: Operator,
    *,
    stack: Stack | None,
    template: Template,
    bundle: Bundle,
) -> ChangeSet | None:
    """Upload bundle and template, and create the change set from them."""
    bucket = _code_bucket(request, clients)
    operator.report_step(f"uploading to the bucket {bucket.name}")
    ensure_bucket(clients.s3, bucket)
    bundle_key, template_key = f"bundle-{bundle.sha256}.zip", f"template-{template.sha256}.yaml"
    upload(clients.s3, bucket, key=bundle_key, data=bundle.data)
    upload(clients.s3, bucket, key=template_key, data=template.text.encode())
    operator.report_step("creating the change set")
    return create_change_set(
        clients.cloudformation,
        stack=request.stack,
        kind="UPDATE" if stack else "CREATE",
        template_url=url(clients.s3, bucket, key=template_key),
        parameters=parameter_values(
            {**request.parameters, "CodeBucket": bucket.name, "CodeKey": bundle_key},
            template=template,
            previous=stack.parameters if stack else None,
        ),
    )


def _code_bucket(request: DeploymentRequest, clients: Clients) -> CodeBucket:
    with translated("reading the account of these credentials"):
        caller = clients.sts.get_caller_identity()
    region = clients.cloudformation.meta.region_name
    return CodeBucket(
        name=request.code_bucket or f"mailfold-code-{caller['Account']}-{region}",
        account_id=caller["Account"],
        partition=caller["Arn"].split(":")[1],
        region=region,
    )


def _apply(
    request: DeploymentRequest,
    clients: Clients,
    operator: Operator,
    change_set: ChangeSet | None,
    *,
    stack: Stack | None,
    poll_seconds: float,
) -> bool:
    """Execute a change set that the operator confirms. Return True if the stack is up to date."""
    if change_set is None:
        operator.show_changes(None)
        return not request.dry_run
    if not _confirm(request, clients, operator, change_set, stack=stack):
        discard(clients.cloudformation, change_set)
        return False
    before = newest_event(clients.cloudformation, stack_id=change_set.stack_id)
    execute(clients.cloudformation, change_set)
    operator.execution_started(change_set)
    for event in follow(clients.cloudformation, stack_id=change_set.stack_id, after=before, poll_seconds=poll_seconds):
        operator.show_event(event)
    return True


def _confirm(
    request: DeploymentRequest, clients: Clients, operator: Operator, change_set: ChangeSet, *, stack: Stack | None
) -> bool:
    """Show a change set, ask for confirmation, and publish the policy. An interrupt discards the change set."""
    try:
        operator.show_changes(change_set)
        is_confirmed = not request.dry_run and operator.confirm()
        if is_confirmed and stack and POLICY_PARAMETER in request.parameters:
            operator.report_step("publishing the policy")
            parameter = stack.output("TablesParameter")
            publish_policy(clients.ssm, parameter=parameter, policy=_policy(request.parameters[POLICY_PARAMETER]))
    except BaseException:
        discard(clients.cloudformation, change_set)
        raise
    return is_confirmed


def _policy(document: str) -> Policy:
    return parse_policy(document.encode()) if document else DEFAULT_POLICY


def _complete(stack: Stack, clients: Clients, operator: Operator, *, views: bool) -> None:
    """Create the resources beside the stack. The stack exists by now, so every error is a failed deployment."""
    try:
        _protect(stack, clients, operator)
        _set_live_table(stack, clients, operator)
        if views:
            _update_athena(stack, clients, operator)
    except MailfoldError as error:
        raise DeploymentFailed(
            f"the stack {stack.name} is {stack.status}, but the resources beside it are not complete: {error}. "
            "Correct that and deploy again"
        ) from error


def _protect(stack: Stack, clients: Clients, operator: Operator) -> None:
    operator.report_step("protecting the stack from deletion")
    with translated("protecting the stack from deletion"):
        clients.cloudformation.update_termination_protection(StackName=stack.id, EnableTerminationProtection=True)


def _set_live_table(stack: Stack, clients: Clients, operator: Operator) -> None:
    """Create the parameter that names the live table. One that exists is kept, but its tables must exist."""
    operator.report_step("naming the live table")
    parameter = stack.output("TablesParameter")
    document = stack.parameters.get(POLICY_PARAMETER)
    policy = _policy(document) if document else None
    own_tables = SuppressionTables(live=stack.output("SuppressionTable"), policy=policy)
    if create_tables(clients.ssm, parameter=parameter, tables=own_tables):
        return
    tables = read_tables(clients.ssm, parameter=parameter)
    if tables and (missing := missing_tables(clients.dynamodb, tables)):  # left by a deleted stack of the same name
        raise NotFound(
            f"the parameter {parameter} names tables that do not exist, so feedback cannot be stored: "
            f"{', '.join(missing)}. Delete it with `aws ssm delete-parameter --name {parameter} --region "
            f"{stack.region}` to make the stack's own table the live one"
        )


def _update_athena(stack: Stack, clients: Clients, operator: Operator) -> None:
    catalog = AthenaCatalog(database=stack.output("Database"), workgroup=stack.output("Workgroup"))
    operator.report_step("updating Athena's views and saved queries")
    views = create_views(clients.athena, catalog)
    for view in views:
        operator.report_step(f"Athena {'rejected' if view.failure else 'has'} the view {view.name}")
    for name in create_queries(clients.athena, catalog):
        operator.report_step(f"Athena has the query {name}")
    require_views(views)
