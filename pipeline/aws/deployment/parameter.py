"""What a stack is deployed with: parameters checked against the template before anything is asked of AWS.

docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.aws.deployment.template import Template
from pipeline.errors import Misuse
from pipeline.policy import parse_policy

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

CODE = frozenset({"CodeBucket", "CodeKey"})  # what `deploy` sets itself
POLICY = "Policy"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}", re.ASCII)


def check_name(name: str) -> None:
    """Check a stack's name: resources are named after it, and the strictest of them decides.

    Raises:
        Misuse: It is none.
    """
    if not _NAME.fullmatch(name):
        raise Misuse(
            f"no name for a stack: {name!r}; take lower-case letters, digits and hyphens, a letter first, "
            "at most 40 characters"
        )


def check_parameters(given: Mapping[str, str], *, template: Template) -> None:
    """Check parameters, by name.

    Raises:
        Misuse: One is none of the template's, is not the user's to set, or cannot have that value; names every problem.
    """
    problems = [problem for name, value in given.items() if (problem := _problem(name, value, template))]
    if problems:
        raise Misuse("; ".join(problems))


def parameter_values(
    given: Mapping[str, str], *, template: Template, previous: Mapping[str, str] | None
) -> list[ParameterTypeDef]:
    """Return parameters as a change set takes them; what is not given stays as it was, or else is the default.

    Args:
        given: By name, the code's too.
        template: What is deployed.
        previous: What the stack has now; None: there is no stack yet.
    """
    kept = (template.parameters.keys() & (previous or {}).keys()) - given.keys()
    set_now: list[ParameterTypeDef] = [{"ParameterKey": name, "ParameterValue": given[name]} for name in sorted(given)]
    return set_now + [{"ParameterKey": name, "UsePreviousValue": True} for name in sorted(kept)]


def _problem(name: str, value: str, template: Template) -> str | None:
    if name in CODE:
        return f"{name} is set by deploy itself: see --code-bucket"
    if name not in template.parameters:
        names = ", ".join(sorted(template.parameters.keys() - CODE))
        return f"the template has no parameter {name}, but {names}"
    wrong = next(_wrong(value, template.parameters[name]), None)
    if wrong is None and name == POLICY and value:
        wrong = _no_policy(value)
    return f"{name} {wrong}" if wrong else None


def _wrong(value: str, declared: Mapping[str, Any]) -> Iterator[str]:
    """Say what is wrong with a value, without showing it: it may be an address."""
    allowed = [str(one) for one in declared.get("AllowedValues", ())]
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
        yield from _wrong_number(value, declared)


def _wrong_number(value: str, declared: Mapping[str, Any]) -> Iterator[str]:
    if not re.fullmatch(r"-?[0-9]+", value, re.ASCII):
        yield "must be a whole number"
        return
    least, most = declared.get("MinValue"), declared.get("MaxValue")
    if (least is not None and int(value) < least) or (most is not None and int(value) > most):
        yield f"must be at least {least}" + ("" if most is None else f" and at most {most}")


def _no_policy(value: str) -> str | None:
    try:
        parse_policy(value.encode())
    except Misuse as error:
        return f"is {error}"
    return None
