"""The stack's name and template parameters, checked before the first request to AWS.

docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.aws.stack import POLICY_PARAMETER
from pipeline.errors import UsageError
from pipeline.policy import parse_policy

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

    from pipeline.aws.deployment.template import Template

CODE = frozenset({"CodeBucket", "CodeKey"})  # parameters that `deploy` sets itself

# Resources are named after the stack. The strictest of their rules applies.
_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}", re.ASCII)


def check_name(name: str) -> None:
    """Check the name of a stack.

    Raises:
        UsageError: The name is invalid.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"invalid stack name {name!r}: use lower-case letters, digits and hyphens, a letter first, "
            "at most 40 characters"
        )


def check_parameters(requested: Mapping[str, str], *, template: Template) -> None:
    """Check parameters by name.

    Raises:
        UsageError: A parameter does not exist, is set by `deploy`, or has an invalid value. The message names them all.
    """
    problems = [problem for name, value in requested.items() if (problem := _problem(name, value, template))]
    if problems:
        raise UsageError("; ".join(problems))


def parameter_values(
    requested: Mapping[str, str], *, template: Template, previous: Mapping[str, str] | None
) -> list[ParameterTypeDef]:
    """Return the parameters of a change set. One that is not requested keeps its previous value, or else its default.

    Args:
        requested: Values by name, including those of the code.
        template: The template to deploy.
        previous: Values that the stack has. None: the stack does not exist.
    """
    kept = (template.parameters.keys() & (previous or {}).keys()) - requested.keys()
    values: list[ParameterTypeDef] = [
        {"ParameterKey": name, "ParameterValue": requested[name]} for name in sorted(requested)
    ]
    return values + [{"ParameterKey": name, "UsePreviousValue": True} for name in sorted(kept)]


def effective_values(
    requested: Mapping[str, str], *, template: Template, previous: Mapping[str, str] | None
) -> dict[str, str]:
    """Return the value of each parameter after the deployment, without those of the code. See `parameter_values`."""
    values = {name: str(declared.get("Default", "")) for name, declared in template.parameters.items()}
    values |= {name: value for name, value in (previous or {}).items() if name in values}
    return {name: value for name, value in {**values, **requested}.items() if name not in CODE}


def _problem(name: str, value: str, template: Template) -> str | None:
    if name in CODE:
        return f"{name} is set by deploy itself: see --code-bucket"
    if name not in template.parameters:
        names = ", ".join(sorted(template.parameters.keys() - CODE))
        return f"the template has no parameter {name}: use one of {names}"
    problem = next(_value_problems(value, template.parameters[name]), None)
    if problem is None and name == POLICY_PARAMETER and value:
        problem = _policy_problem(value)
    return f"{name} {problem}" if problem else None


def _value_problems(value: str, declared: Mapping[str, Any]) -> Iterator[str]:
    """Yield what is wrong with a value, without the value: it may be an address."""
    allowed = [str(text) for text in declared.get("AllowedValues", ())]
    if allowed and value not in allowed:
        yield f"must be one of {', '.join(allowed)}"
    pattern = declared.get("AllowedPattern")
    is_list = declared["Type"] == "CommaDelimitedList"
    parts = [part.strip() for part in value.split(",")] if is_list else [value]
    if pattern and not all(re.fullmatch(pattern, part) for part in parts):
        yield f"must match {pattern}"
    if len(value) > declared.get("MaxLength", len(value)):
        yield f"must have at most {declared['MaxLength']} characters"
    if declared["Type"] == "Number":
        yield from _number_problems(value, declared)


def _number_problems(value: str, declared: Mapping[str, Any]) -> Iterator[str]:
    if not re.fullmatch(r"-?[0-9]+", value, re.ASCII):
        yield "must be a whole number"
        return
    least, most = declared.get("MinValue"), declared.get("MaxValue")
    if (least is not None and int(value) < least) or (most is not None and int(value) > most):
        yield f"must be at least {least}" + ("" if most is None else f" and at most {most}")


def _policy_problem(value: str) -> str | None:
    try:
        parse_policy(value.encode())
    except UsageError as error:
        return f"is {error}"
    return None
