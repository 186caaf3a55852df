"""A deployment, from the sources here to a stack that works: the steps in their order.

Whoever deploys is told of each step, and asked before anything of the stack changes. Doing it again is safe at any
point: what is there is found, and what is missing is made.

What is to be deployed, where to, and who is told and asked.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Protocol

import msgspec

from pipeline.aws.deployment.athena import AthenaCatalog, create_queries, create_views
from pipeline.aws.deployment.bundle import Bundle, build_bundle
from pipeline.aws.deployment.change_set import ChangeSet, create_change_set, discard, execute
from pipeline.aws.deployment.code_bucket import CodeBucket, ensure_bucket, upload, url
from pipeline.aws.deployment.events import POLL_SECONDS, StackEvent, follow, newest_event
from pipeline.aws.deployment.stack_status import prepare_stack
from pipeline.aws.deployment.template import Template, check_name, check_parameters, load_template, parameter_values
from pipeline.aws.errors import translated
from pipeline.aws.stack import Stack, create_tables, deployed_stack, missing_tables, read_tables
from pipeline.errors import DeploymentFailed, MailfoldError, UsageError

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


class DeploymentRequest(msgspec.Struct, frozen=True, kw_only=True):
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


def deploy(
    order: DeploymentRequest,
    clients: Clients,
    operator: Operator,
    *,
    bundle: Bundle | None = None,
    poll_seconds: float = POLL_SECONDS,
) -> Stack | None:
    """Bring a stack up to date, or make it, and what stands beside it; return it, or None if nothing was to be done.

    Args:
        order: What is to be deployed.
        clients: Where to.
        operator: Who is told and asked.
        bundle: The Lambdas' code; None: built here, for the template's runtime.
        poll_seconds: How long to wait before CloudFormation is asked again.

    Raises:
        UsageError: The order is wrong, the stack is in no state for it, or AWS denies or refuses something.
        DeploymentFailed: CloudFormation began and did not end well.
        Unavailable: AWS throttles or cannot be reached.
    """
    wanted = load_template()
    check_name(order.stack)
    check_parameters(order.parameters, template=wanted)
    operator.told("looking at the stack")
    stack = prepare_stack(
        clients.cloudformation,
        name=order.stack,
        may_delete=lambda failed: not order.dry_run and operator.agrees_to_delete(failed),
    )
    operator.told("building the bundle")
    bundle = bundle or build_bundle(runtime=wanted.runtime)
    change_set = _change_set(order, clients, operator, stack=stack, template=wanted, bundle=bundle)
    if not _carried_out(order, clients, operator, change_set, poll_seconds=poll_seconds):
        return None
    deployed = deployed_stack(clients.cloudformation, name=order.stack)
    _complete(deployed, clients, operator, views=order.views)
    return deployed


def _complete(stack: Stack, clients: Clients, operator: Operator, *, views: bool) -> None:
    """Make what stands beside the stack. It is there by now, so whatever goes wrong is no misuse that did nothing."""
    try:
        _protect(stack, clients, operator)
        if views:
            _show_in_athena(stack, clients, operator)
    except MailfoldError as error:
        raise DeploymentFailed(
            f"the stack {stack.name} is {stack.status}, but what stands beside it is not complete: {error}. "
            "Deploy again once that is mended"
        ) from error


def _protect(stack: Stack, clients: Clients, operator: Operator) -> None:
    """Keep the stack from being deleted by mistake, and say which table is live, if nobody has so far."""
    operator.told("protecting the stack from deletion")
    with translated("protecting the stack from deletion"):
        clients.cloudformation.update_termination_protection(StackName=stack.id, EnableTerminationProtection=True)
    operator.told("saying which table is live")
    parameter = stack.output("TablesParameter")
    if not create_tables(clients.ssm, parameter=parameter, live=stack.output("SuppressionTable")):
        _check_tables(stack, clients, parameter)


def _check_tables(stack: Stack, clients: Clients, parameter: str) -> None:
    """Check that there is every table which the parameter names: a stack that was deleted may have left it."""
    tables = read_tables(clients.ssm, parameter=parameter)
    if tables and (missing := missing_tables(clients.dynamodb, tables)):
        raise UsageError(
            f"the parameter {parameter} names tables that are not there, so that feedback waits for them: "
            f"{', '.join(missing)}; delete it with `aws ssm delete-parameter --name {parameter} --region "
            f"{stack.region}`, and the stack's own table is the live one"
        )


def _show_in_athena(stack: Stack, clients: Clients, operator: Operator) -> None:
    catalogue = AthenaCatalog(database=stack.output("Database"), workgroup=stack.output("Workgroup"))
    for name in create_views(clients.athena, catalogue):
        operator.told(f"Athena has the view {name}")
    for name in create_queries(clients.athena, catalogue):
        operator.told(f"Athena has the query {name}")


def _change_set(
    order: DeploymentRequest,
    clients: Clients,
    operator: Operator,
    *,
    stack: Stack | None,
    template: Template,
    bundle: Bundle,
) -> ChangeSet | None:
    """Upload bundle and template, and have CloudFormation compare them with what is there."""
    bucket = _bucket(order, clients)
    operator.told(f"uploading to the bucket {bucket.name}")
    ensure_bucket(clients.s3, bucket)
    bundle_key, template_key = f"bundle-{bundle.sha256}.zip", f"template-{template.sha256}.yaml"
    upload(clients.s3, bucket, key=bundle_key, data=bundle.data)
    upload(clients.s3, bucket, key=template_key, data=template.text.encode())
    operator.told("asking CloudFormation what would change")
    return create_change_set(
        clients.cloudformation,
        stack=order.stack,
        kind="UPDATE" if stack else "CREATE",
        template_url=url(clients.s3, bucket, key=template_key),
        parameters=parameter_values(
            {**order.parameters, "CodeBucket": bucket.name, "CodeKey": bundle_key},
            template=template,
            previous=stack.parameters if stack else None,
        ),
    )


def _bucket(order: DeploymentRequest, clients: Clients) -> CodeBucket:
    with translated("whose account this is"):
        caller = clients.sts.get_caller_identity()
    region = clients.cloudformation.meta.region_name
    return CodeBucket(
        name=order.code_bucket or f"mailfold-code-{caller['Account']}-{region}",
        account_id=caller["Account"],
        partition=caller["Arn"].split(":")[1],
        region=region,
    )


def _carried_out(
    order: DeploymentRequest, clients: Clients, operator: Operator, change_set: ChangeSet | None, *, poll_seconds: float
) -> bool:
    """Do what a change set says, if it says anything and is agreed to; tell whether the stack is as it should be."""
    if change_set is None:
        operator.changes(None)
        return not order.dry_run
    if not _agreed(order, clients, operator, change_set):
        discard(clients.cloudformation, change_set)
        return False
    before = newest_event(clients.cloudformation, stack_id=change_set.stack_id)
    execute(clients.cloudformation, change_set)
    operator.began(change_set)
    for event in follow(clients.cloudformation, stack_id=change_set.stack_id, after=before, poll_seconds=poll_seconds):
        operator.happened(event)
    return True


def _agreed(order: DeploymentRequest, clients: Clients, operator: Operator, change_set: ChangeSet) -> bool:
    """Show it and ask; nothing is left of a change set that nobody sees or answers for."""
    try:
        operator.changes(change_set)
        return not order.dry_run and operator.agrees()
    except BaseException:
        discard(clients.cloudformation, change_set)
        raise
