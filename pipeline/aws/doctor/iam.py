"""Checks of the roles: whether each trusts the service that assumes it, and has the permissions that it needs.

IAM itself evaluates the permissions, so that permissions boundaries and service control policies count too.
docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, error, restore
from pipeline.aws.doctor.policy_document import allows
from pipeline.aws.doctor.role_policies import RolePolicies
from pipeline.aws.errors import missing_ok

if TYPE_CHECKING:
    from mypy_boto3_iam.type_defs import ContextEntryTypeDef

Context = Mapping[str, str]
"""The condition keys that AWS sends when a service assumes a role. The template has only patterns of their values."""


class RoleUse(msgspec.Struct, frozen=True, kw_only=True):
    """What a role is used for, as far as the template does not say it.

    Attributes:
        impact: The consequence of a missing permission.
        contexts: The contexts in which the service assumes it, one for each case.
    """

    impact: str
    contexts: Callable[[Deployment], tuple[Context, ...]] = lambda _: ({},)


def _configuration_set_contexts(deployment: Deployment) -> tuple[Context, ...]:
    return tuple(
        _source(deployment, deployment.arn("ses", f"configuration-set/{name}")) for name in deployment.example_sets
    )


def _firehose_contexts(deployment: Deployment) -> tuple[Context, ...]:
    return ({"sts:ExternalId": deployment.stack.account_id},)


def _rule_contexts(deployment: Deployment) -> tuple[Context, ...]:
    return (_source(deployment, deployment.rule_arn),)


def _task_contexts(deployment: Deployment) -> tuple[Context, ...]:
    return (_source(deployment, deployment.arn("ecs", f"task/{deployment.output('ConsumerCluster')}/0")),)


def _source(deployment: Deployment, arn: str) -> Context:
    return {"aws:SourceAccount": deployment.stack.account_id, "aws:SourceArn": arn}


_NO_FEEDBACK = "feedback does not reach the table, or records that cannot be decoded are lost"
ROLES = {  # by logical id in the template
    "SesRole": RoleUse(impact="SES cannot write the log", contexts=_configuration_set_contexts),
    "DeliveryRole": RoleUse(
        impact="Firehose cannot write the log, and discards its records after a day", contexts=_firehose_contexts
    ),
    "FeedbackRuleRole": RoleUse(impact="no feedback reaches the table", contexts=_rule_contexts),
    "TransformRole": RoleUse(impact="the cause of a failed transformation is not logged"),
    "ProjectorRole": RoleUse(impact=_NO_FEEDBACK),
    "ReconcilerRole": RoleUse(impact="nothing heals the table on a schedule, or proves it equal to the log"),
    "ConsumerRole": RoleUse(impact=_NO_FEEDBACK, contexts=_task_contexts),
    "ConsumerStartRole": RoleUse(impact="ECS cannot start the consumer", contexts=_task_contexts),
}


def role_check(role: str) -> Callable[[Deployment], Iterator[Finding]]:
    """Return the check of a role.

    Args:
        role: Its logical id in the template.
    """

    def check_role(deployment: Deployment) -> Iterator[Finding]:
        policies = RolePolicies(deployment)
        if policies.exists(role):
            yield from _check_role(deployment, role, policies)

    return check_role


def _check_role(deployment: Deployment, role: str, policies: RolePolicies) -> Iterator[Finding]:
    iam, arn, use = deployment.clients.iam, deployment.output(f"{role}Arn"), ROLES[role]
    name = arn.rpartition("/")[2]
    answer = missing_ok(lambda: iam.get_role(RoleName=name))
    if answer is None:
        yield error("role_missing", f"the role {name} does not exist: {use.impact}", remedy=restore(role))
        return
    trust: Any = answer["Role"]["AssumeRolePolicyDocument"]  # boto3 has decoded it
    service = policies.service(role)
    if not all(
        allows(trust, service=service, action="sts:AssumeRole", context=context) for context in use.contexts(deployment)
    ):
        message = f"the role {name} does not allow {service} to assume it: {use.impact}"
        yield error("role_not_assumable", message, remedy=restore(role))
    if denied := _denied_actions(deployment, arn, policies.permissions(role)):
        message = f"IAM denies the role {name} {', '.join(denied)}: {use.impact}"
        yield error("role_denied", message, remedy=restore(role))


def _denied_actions(deployment: Deployment, role_arn: str, permissions: Mapping[str, list[str]]) -> list[str]:
    """Return each action that IAM denies the role on some resource. The table's key is used through DynamoDB."""
    service: ContextEntryTypeDef = {
        "ContextKeyName": "kms:ViaService",
        "ContextKeyValues": [f"dynamodb.{deployment.stack.region}.amazonaws.com"],
        "ContextKeyType": "string",
    }
    denied: dict[str, None] = {}
    for resource, actions in permissions.items():
        pages = deployment.clients.iam.get_paginator("simulate_principal_policy").paginate(
            PolicySourceArn=role_arn, ActionNames=actions, ResourceArns=[resource], ContextEntries=[service]
        )
        results = (result for page in pages for result in page["EvaluationResults"])
        denied |= {result["EvalActionName"]: None for result in results if result["EvalDecision"] != "allowed"}
    return list(denied)
