"""Deploy Mailfold from this package to a working stack, step by step.

Every step is safe to repeat: existing resources are kept or updated, and missing ones are created. The operator sees
each step, and confirms before the stack changes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Protocol

import msgspec

from pipeline.aws.clients import Clients
from pipeline.aws.deployment.adoption import kept_logs
from pipeline.aws.deployment.beside_stack import complete
from pipeline.aws.deployment.bundle import Bundle, build_bundle
from pipeline.aws.deployment.change_set import ChangeSet, create_change_set, discard, execute
from pipeline.aws.deployment.code_bucket import (
    CodeBucket,
    CodeObject,
    check_code,
    ensure_bucket,
    upload,
    upload_bundle,
    url,
)
from pipeline.aws.deployment.data_loss import DataLoss, data_losses
from pipeline.aws.deployment.events import POLL_SECONDS, StackEvent, follow, newest_event
from pipeline.aws.deployment.limits import check_limits
from pipeline.aws.deployment.parameters import check_name, check_parameters, effective_values, parameter_values
from pipeline.aws.deployment.policy import publish_template_policy
from pipeline.aws.deployment.service_linked_role import ensure_ecs_role
from pipeline.aws.deployment.stack_status import check_version, prepare_stack
from pipeline.aws.deployment.template import Template, load_template
from pipeline.aws.errors import translated
from pipeline.aws.stack import POLICY_PARAMETER, Stack, deployed_stack
from pipeline.errors import AccessDenied, UsageError

CONTAINER = "container"  # the value of `Consumer` for which the template has an ECS service


class DeploymentRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What to deploy.

    Attributes:
        stack: Name of the stack.
        parameters: Template parameters by name, without those of the code. A parameter that is missing keeps its value.
        code_bucket: Bucket for bundle and template. None: a bucket named after the account and the region.
        code: Bundle in S3 that is deployed as it is. None: the bundle is uploaded to the code bucket.
        tags: Tags of the stack, which CloudFormation passes on to its resources. Others keep their values.
        role_arn: Role that CloudFormation assumes. None: the one that it assumed before, or else the caller.
        dry_run: Whether to stop once the change set is shown.
        views: Whether to update Athena's views and saved queries.
        beside_only: Whether to leave the stack as it is, and update only the resources beside it.
    """

    stack: str
    parameters: Mapping[str, str] = {}
    code_bucket: str | None = None
    code: CodeObject | None = None
    tags: Mapping[str, str] = {}
    role_arn: str | None = None
    dry_run: bool = False
    views: bool = True
    beside_only: bool = False


class Operator(Protocol):
    """Operator callbacks of a deployment."""

    def report_step(self, step: str) -> None:
        """Report the step that begins now."""

    def accept_loss(self, loss: DataLoss) -> bool:
        """Return True to delete the data. Called on a dry run too, which deletes nothing."""

    def show_kept_logs(self, buckets: Sequence[str]) -> None:
        """Show the buckets with the logs of deleted stacks of this name, before a stack is created."""

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
        bundle: Code of the Lambda functions. None: the request names it, or it is built for the template's runtime.
        poll_seconds: Time between two reads of the stack's events.

    Returns:
        The stack, or None on a dry run and if the operator declines.

    Raises:
        UsageError: The request is wrong, or the stack does not belong to Mailfold.
        NotFound: The bundle in S3 does not exist, or the stack of which only the resources beside it are updated.
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
    if request.beside_only:
        return _update_beside(request, clients, operator, stack, template)
    values = effective_values(request.parameters, template=template, previous=stack.parameters if stack else None)
    _check(request, clients, operator, stack=stack, values=values, template=template)
    code = request.code or bundle or _build_bundle(operator, template)
    change_set = _prepare_change_set(request, clients, operator, stack=stack, template=template, code=code)
    if not _apply(request, clients, operator, change_set, stack=stack, values=values, poll_seconds=poll_seconds):
        return None
    deployed = deployed_stack(clients.cloudformation, name=request.stack)
    complete(deployed, clients, operator.report_step, views=request.views)
    return deployed


def _update_beside(
    request: DeploymentRequest, clients: Clients, operator: Operator, stack: Stack | None, template: Template
) -> Stack:
    """Update the resources beside a stack that another tool deploys."""
    deployed = stack or deployed_stack(clients.cloudformation, name=request.stack)  # raises NotFound
    check_version(deployed, own_version=template.version)
    if document := deployed.parameters.get(POLICY_PARAMETER):  # the other tool may have deployed a new one
        _publish_policy(document, clients, operator, deployed)
    complete(deployed, clients, operator.report_step, views=request.views)
    return deployed


def _check(
    request: DeploymentRequest,
    clients: Clients,
    operator: Operator,
    *,
    stack: Stack | None,
    values: Mapping[str, str],
    template: Template,
) -> None:
    """Check what CloudFormation would not, or only after minutes."""
    if stack:
        check_version(stack, own_version=template.version)
    check_limits(request.stack, values, clients=clients, stack=stack)
    if request.code:
        check_code(clients.s3, request.code)
    for loss in data_losses(stack, values) if stack else ():
        if not operator.accept_loss(loss):
            raise UsageError(f"the name {loss.resource} was not confirmed, and {loss.parameter} deletes data there")
    if stack is None:
        with suppress(AccessDenied):  # a deployment does not need the permission to read what earlier ones left
            operator.show_kept_logs(kept_logs(clients, stack=request.stack))


def _build_bundle(operator: Operator, template: Template) -> Bundle:
    operator.report_step("building the bundle")
    return build_bundle(runtime=template.runtime)


def _prepare_change_set(
    request: DeploymentRequest,
    clients: Clients,
    operator: Operator,
    *,
    stack: Stack | None,
    template: Template,
    code: CodeObject | Bundle,
) -> ChangeSet | None:
    """Upload bundle and template, and create the change set from them."""
    bucket = _code_bucket(request, clients)
    operator.report_step(f"uploading to the bucket {bucket.name}")
    ensure_bucket(clients.s3, bucket, tags=request.tags)
    if isinstance(code, Bundle):
        code = upload_bundle(clients.s3, bucket, code)
    template_key = f"template-{template.sha256}.yaml"
    upload(clients.s3, bucket, key=template_key, data=template.text.encode())
    operator.report_step("creating the change set")
    return create_change_set(
        clients.cloudformation,
        stack=request.stack,
        kind="UPDATE" if stack else "CREATE",
        template_url=url(clients.s3, bucket, key=template_key),
        parameters=parameter_values(
            {**request.parameters, "CodeBucket": code.bucket, "CodeKey": code.key},
            template=template,
            previous=stack.parameters if stack else None,
        ),
        tags={**(stack.tags if stack else {}), **request.tags},
        role_arn=request.role_arn,
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
    values: Mapping[str, str],
    poll_seconds: float,
) -> bool:
    """Execute a change set that the operator confirms. Return True if the stack is up to date."""
    if change_set is None:
        operator.show_changes(None)
        return not request.dry_run
    if not _confirm(request, clients, operator, change_set, stack=stack):
        discard(clients.cloudformation, change_set)
        return False
    if values["Consumer"] == CONTAINER:
        _prepare_ecs(clients, operator)
    before = newest_event(clients.cloudformation, stack_id=change_set.stack_id)
    execute(clients.cloudformation, change_set)
    operator.execution_started(change_set)
    for event in follow(clients.cloudformation, stack_id=change_set.stack_id, after=before, poll_seconds=poll_seconds):
        operator.show_event(event)
    return True


def _prepare_ecs(clients: Clients, operator: Operator) -> None:
    """Create ECS's service-linked role. An account that already uses ECS has it, so a denial stops nothing."""
    try:
        if ensure_ecs_role(clients.iam):
            operator.report_step("created the service-linked role of ECS, which this account did not have")
    except AccessDenied as error:
        operator.report_step(f"whether this account has the service-linked role of ECS is unknown: {error}")


def _confirm(
    request: DeploymentRequest, clients: Clients, operator: Operator, change_set: ChangeSet, *, stack: Stack | None
) -> bool:
    """Show a change set, ask for confirmation, and publish the policy. An interrupt discards the change set."""
    try:
        operator.show_changes(change_set)
        is_confirmed = not request.dry_run and operator.confirm()
        if is_confirmed and stack and POLICY_PARAMETER in request.parameters:
            _publish_policy(request.parameters[POLICY_PARAMETER], clients, operator, stack)
    except BaseException:
        discard(clients.cloudformation, change_set)
        raise
    return is_confirmed


def _publish_policy(document: str, clients: Clients, operator: Operator, stack: Stack) -> None:
    publish_template_policy(
        clients.ssm,
        parameter=stack.output("TablesParameter"),
        document=document,
        previous=stack.parameters.get(POLICY_PARAMETER, ""),
        report_step=operator.report_step,
    )
