"""A deployment, from the sources here to a stack that works: the steps in their order.

Whoever deploys is told of each step, and asked before anything of the stack changes. Doing it again is safe at any
point: what is there is found, and what is missing is made.
"""

from __future__ import annotations

from pipeline.aws.deployment.bundle import Bundle, build_bundle
from pipeline.aws.deployment.catalogue import Catalogue, create_queries, create_views
from pipeline.aws.deployment.change_set import ChangeSet, create_change_set, discard, execute
from pipeline.aws.deployment.code_bucket import CodeBucket, ensure_bucket, upload, url
from pipeline.aws.deployment.condition import ready
from pipeline.aws.deployment.order import Clients, Operator, Order
from pipeline.aws.deployment.parameter import check_name, check_parameters, parameter_values
from pipeline.aws.deployment.stack_event import POLL_SECONDS, follow, newest_event
from pipeline.aws.deployment.template import Template, template
from pipeline.aws.refusal import asking
from pipeline.aws.stack import Stack, deployed_stack
from pipeline.aws.tables import create_tables, missing_tables, read_tables
from pipeline.errors import DeploymentFailed, MailfoldError, Misuse


def deploy(
    order: Order,
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
        Misuse: The order is wrong, the stack is in no state for it, or AWS denies or refuses something.
        DeploymentFailed: CloudFormation began and did not end well.
        Outage: AWS throttles or cannot be reached.
    """
    wanted = template()
    check_name(order.stack)
    check_parameters(order.parameters, template=wanted)
    operator.told("looking at the stack")
    stack = ready(
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
    with asking("protecting the stack from deletion"):
        clients.cloudformation.update_termination_protection(StackName=stack.id, EnableTerminationProtection=True)
    operator.told("saying which table is live")
    parameter = stack.output("TablesParameter")
    if not create_tables(clients.ssm, parameter=parameter, live=stack.output("SuppressionTable")):
        _check_tables(stack, clients, parameter)


def _check_tables(stack: Stack, clients: Clients, parameter: str) -> None:
    """Check that there is every table which the parameter names: a stack that was deleted may have left it."""
    tables = read_tables(clients.ssm, parameter=parameter)
    if tables and (missing := missing_tables(clients.dynamodb, tables)):
        raise Misuse(
            f"the parameter {parameter} names tables that are not there, so that feedback waits for them: "
            f"{', '.join(missing)}; delete it with `aws ssm delete-parameter --name {parameter} --region "
            f"{stack.region}`, and the stack's own table is the live one"
        )


def _show_in_athena(stack: Stack, clients: Clients, operator: Operator) -> None:
    catalogue = Catalogue(database=stack.output("Database"), workgroup=stack.output("Workgroup"))
    for name in create_views(clients.athena, catalogue):
        operator.told(f"Athena has the view {name}")
    for name in create_queries(clients.athena, catalogue):
        operator.told(f"Athena has the query {name}")


def _change_set(
    order: Order, clients: Clients, operator: Operator, *, stack: Stack | None, template: Template, bundle: Bundle
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


def _bucket(order: Order, clients: Clients) -> CodeBucket:
    with asking("whose account this is"):
        caller = clients.sts.get_caller_identity()
    region = clients.cloudformation.meta.region_name
    return CodeBucket(
        name=order.code_bucket or f"mailfold-code-{caller['Account']}-{region}",
        account_id=caller["Account"],
        partition=caller["Arn"].split(":")[1],
        region=region,
    )


def _carried_out(
    order: Order, clients: Clients, operator: Operator, change_set: ChangeSet | None, *, poll_seconds: float
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


def _agreed(order: Order, clients: Clients, operator: Operator, change_set: ChangeSet) -> bool:
    """Show it and ask; nothing is left of a change set that nobody sees or answers for."""
    try:
        operator.changes(change_set)
        return not order.dry_run and operator.agrees()
    except BaseException:
        discard(clients.cloudformation, change_set)
        raise
