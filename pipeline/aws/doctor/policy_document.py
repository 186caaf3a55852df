"""Evaluation of one policy document: whether it allows an AWS service an action.

Covers what trust policies and queue policies contain: service principals, actions by name, and conditions on the
caller. IAM itself evaluates the permissions of roles: see `iam`.
docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

OPERATORS = frozenset({"ArnEquals", "ArnLike", "StringEquals", "StringLike"})


def allows(document: Mapping[str, Any], *, service: str, action: str, context: Mapping[str, str]) -> bool:
    """Return True if a policy document allows a service an action.

    Args:
        document: The policy, as JSON.
        service: The service's principal: `ses.amazonaws.com`.
        action: The action: `sts:AssumeRole`.
        context: The condition keys that AWS sends with the call. A condition on any other key is not met.
    """
    values = {key.lower(): value for key, value in context.items()}
    effects = {
        statement["Effect"]
        for statement in as_list(document["Statement"])
        if _names_service(statement, service)
        and _names_action(statement, action)
        and _is_met(statement.get("Condition", {}), values)
    }
    return effects == {"Allow"}


def allows_account(document: Mapping[str, Any], account: str, actions: Sequence[str]) -> bool:
    """Return True if statements without a condition allow all principals of an account each of the actions.

    Args:
        document: The policy of a resource, as JSON.
        account: The account's ID. IAM stores it as the ARN of the account's root.
        actions: The actions.
    """
    statements = [
        statement
        for statement in as_list(document["Statement"])
        if statement["Effect"] == "Allow" and not statement.get("Condition") and _names_account(statement, account)
    ]
    return all(any(_names_action(statement, action) for statement in statements) for action in actions)


def as_list(value: Any) -> list[Any]:
    """Return a policy element as a list: IAM accepts a single value without one."""
    return value if isinstance(value, list) else [value]


def _names_service(statement: Mapping[str, Any], service: str) -> bool:
    principal = statement.get("Principal", {})
    return principal == "*" or service in as_list(principal.get("Service", []))


def _names_account(statement: Mapping[str, Any], account: str) -> bool:
    principal = statement.get("Principal", {})
    principals = [principal] if principal == "*" else as_list(principal.get("AWS", []))
    return any(name in {"*", account} or name.endswith(f":iam::{account}:root") for name in principals)


def _names_action(statement: Mapping[str, Any], action: str) -> bool:
    return any(_matches(action.lower(), pattern.lower()) for pattern in as_list(statement.get("Action", [])))


def _is_met(condition: Mapping[str, Mapping[str, Any]], context: Mapping[str, str]) -> bool:
    return all(
        operator in OPERATORS and _is_one_of(context.get(key.lower()), operator, as_list(values))
        for operator, keys in condition.items()
        for key, values in keys.items()
    )


def _is_one_of(value: str | None, operator: str, patterns: list[str]) -> bool:
    if value is None:
        return False
    # ArnEquals and ArnLike behave alike.
    return value in patterns if operator == "StringEquals" else any(_matches(value, pattern) for pattern in patterns)


def _matches(text: str, pattern: str) -> bool:
    """Return True if a text matches an IAM pattern: * is any text, ? any character."""
    expression = re.escape(pattern).replace(r"\*", ".*").replace(r"\?", ".")
    return re.fullmatch(expression, text, re.DOTALL) is not None
