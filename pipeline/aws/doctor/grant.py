"""Whether a policy document lets a service of AWS do something: the trust of a role, or the policy of a queue.

Only what such documents need: principals that are services, actions by name, and the conditions on who asks.
docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html
"""

import re
from collections.abc import Iterator, Mapping
from typing import Any

COMPARED = frozenset({"ArnEquals", "ArnLike", "StringEquals", "StringLike"})


def grants(document: Mapping[str, Any], *, service: str, action: str, context: Mapping[str, str]) -> bool:
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
