"""The roles: whether each trusts the service that takes it on, and lets it do what it has to.

IAM itself is asked what a role may do, so that boundaries and policies of an organisation count too.
docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html

Whether a policy document lets a service of AWS do something: the trust of a role, or the policy of a queue.

Only what such documents need: principals that are services, actions by name, and the conditions on who asks.
docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, error
from pipeline.aws.doctor.permissions import (
    Duty,
    consumer,
    consumer_start,
    delivery,
    feedback_rule,
    projector,
    ses,
    transform,
)

if TYPE_CHECKING:
    from mypy_boto3_iam import IAMClient

COMPARED = frozenset({"ArnEquals", "ArnLike", "StringEquals", "StringLike"})


def granted_actions(document: Mapping[str, Any], *, service: str, action: str, context: Mapping[str, str]) -> bool:
    """Tell whether a document lets a service do something.

    Args:
        document: The policy, as JSON.
        service: The service's principal: `ses.amazonaws.com`.
        action: What it does: `sts:AssumeRole`.
        context: What AWS says of the call, by condition key. Of any other key nothing is known, and so it is not met.
    """
    known = {key.lower(): value for key, value in context.items()}
    effects = {
        statement["Effect"]
        for statement in _listed(document["Statement"])
        if _names(statement, service) and _does(statement, action) and _met(statement.get("Condition", {}), known)
    }
    return effects == {"Allow"}


def _names(statement: Mapping[str, Any], service: str) -> bool:
    principal = statement.get("Principal", {})
    return principal == "*" or service in _listed(principal.get("Service", []))


def _does(statement: Mapping[str, Any], action: str) -> bool:
    return any(_like(action.lower(), pattern.lower()) for pattern in _listed(statement.get("Action", [])))


def _met(condition: Mapping[str, Any], known: Mapping[str, str]) -> bool:
    return all(
        operator in COMPARED and _agrees(operator, key, wanted, known) for operator, key, wanted in _each(condition)
    )


def _each(condition: Mapping[str, Any]) -> Iterator[tuple[str, str, list[str]]]:
    for operator, keys in condition.items():
        for key, wanted in keys.items():
            yield operator, key.lower(), _listed(wanted)


def _agrees(operator: str, key: str, wanted: list[str], known: Mapping[str, str]) -> bool:
    value = known.get(key)
    if value is None:
        return False
    # ArnEquals and ArnLike behave alike.
    return value in wanted if operator == "StringEquals" else any(_like(value, pattern) for pattern in wanted)


def _like(text: str, pattern: str) -> bool:
    """Tell whether a text fits a pattern of IAM's, in which * is any text and ? any character."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text, re.DOTALL) is not None


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


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
        yield error("role_missing", f"the role {name} is gone, so that {duty.loses}", mending=restore)
        return
    trust = found["Role"]["AssumeRolePolicyDocument"]
    if not all(
        granted_actions(trust, service=duty.service, action="sts:AssumeRole", context=context)
        for context in duty.contexts
    ):
        words = f"the role {name} does not let {duty.service} take it on, so that {duty.loses}"
        yield error("role_not_trusting", words, mending=restore)
    if denied := _denied(iam, duty):
        words = f"the role {name} may not {', '.join(denied)}, so that {duty.loses}"
        yield error("role_denied", words, mending=restore)


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
