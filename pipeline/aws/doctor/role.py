"""The roles: whether each trusts the service that takes it on, and lets it do what it has to.

IAM itself is asked what a role may do, so that boundaries and policies of an organisation count too.
docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.duty import (
    Duty,
    consumer,
    consumer_start,
    delivery,
    feedback_rule,
    projector,
    ses,
    transform,
)
from pipeline.aws.doctor.finding import Finding, fault
from pipeline.aws.doctor.grant import grants

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient


def check_ses_role(deployment: Deployment) -> Iterator[Finding]:
    """Look at the role by which SES reaches Firehose."""
    yield from _check(deployment, ses(deployment))


def check_delivery_role(deployment: Deployment) -> Iterator[Finding]:
    """Look at the role by which Firehose transforms, and writes the log."""
    yield from _check(deployment, delivery(deployment))


def check_feedback_rule_role(deployment: Deployment) -> Iterator[Finding]:
    """Look at the role by which the rule reaches the stream."""
    yield from _check(deployment, feedback_rule(deployment))


def check_transform_role(deployment: Deployment) -> Iterator[Finding]:
    """Look at the role of the transform."""
    yield from _check(deployment, transform(deployment))


def check_projector_role(deployment: Deployment) -> Iterator[Finding]:
    """Look at the role of the projector."""
    yield from _check(deployment, projector(deployment))


def check_consumer_roles(deployment: Deployment) -> Iterator[Finding]:
    """Look at the role of the container, and at the one by which ECS starts it, if there is a container."""
    for duty in (consumer(deployment), consumer_start(deployment)):
        if duty:
            yield from _check(deployment, duty)


def _check(deployment: Deployment, duty: Duty) -> Iterator[Finding]:
    iam: IAMClient = deployment.client("iam")
    name = duty.role.rpartition("/")[2]
    restore = f"take back what was changed of it by hand, as infra/mailfold.yaml has it under {duty.logical_id}"
    found = unless_missing(iam.get_role, RoleName=name)
    if found is None:
        yield fault("role_missing", f"the role {name} is gone, so that {duty.loses}", mending=restore)
        return
    trust = found["Role"]["AssumeRolePolicyDocument"]
    if not all(
        grants(trust, service=duty.service, action="sts:AssumeRole", context=context) for context in duty.contexts
    ):
        words = f"the role {name} does not let {duty.service} take it on, so that {duty.loses}"
        yield fault("role_not_trusting", words, mending=restore)
    if denied := _denied(iam, duty):
        words = f"the role {name} may not {', '.join(denied)}, so that {duty.loses}"
        yield fault("role_denied", words, mending=restore)


def _denied(iam: IAMClient, duty: Duty) -> list[str]:
    """Return each action that the role may not do on some resource that it has to."""
    denied: dict[str, None] = {}
    for resource, actions in duty.needs.items():
        pages = iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=duty.role, ActionNames=list(actions), ResourceArns=[resource]
        )
        for page in pages:
            denied |= {
                result["EvalActionName"]: None
                for result in page["EvaluationResults"]
                if result["EvalDecision"] != "allowed"
            }
    return list(denied)
