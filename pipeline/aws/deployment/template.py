"""What a stack is deployed with: parameters checked against the template before anything is asked of AWS.

docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/parameters-section-structure.html

The CloudFormation template as `deploy` reads it: its parameters, its functions, and what holds data.

infra/mailfold.yaml is the one definition; nothing here adds to it.
docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

import pipeline
from pipeline.errors import UsageError
from pipeline.policy import parse_policy

if TYPE_CHECKING:
    from mypy_boto3_cloudformation.type_defs import ParameterTypeDef

KEPT = frozenset({"Retain", "RetainExceptOnCreate", "Snapshot"})  # deletion policies of what holds data
FUNCTION = "AWS::Lambda::Function"


class Runtime(msgspec.Struct, frozen=True, kw_only=True):
    """What runs the functions.

    Attributes:
        python: Python's version, `3.14`.
        architecture: The processor as Lambda names it, `arm64` or `x86_64`.
    """

    python: str
    architecture: str


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """The template.

    Attributes:
        text: What CloudFormation gets.
        parameters: What each parameter may be, by name, as the template writes it.
        runtime: What runs its functions.
        handlers: The modules of its functions' handlers.
        stateful: The types of resources that hold data, or protect it.
    """

    text: str
    parameters: Mapping[str, Mapping[str, Any]]
    runtime: Runtime
    handlers: tuple[str, ...]
    stateful: frozenset[str]

    @property
    def sha256(self) -> str:
        """Its text's SHA-256, in hex."""
        return sha256(self.text.encode()).hexdigest()


@cache
def load_template() -> Template:
    """Return the template.

    Raises:
        UsageError: Its functions do not all have one and the same Python and processor.
    """
    text = infra_folder().joinpath("mailfold.yaml").read_text(encoding="utf-8")
    document = _parse(text)
    functions = [one["Properties"] for one in document["Resources"].values() if one["Type"] == FUNCTION]
    return Template(
        text=text,
        parameters=document["Parameters"],
        runtime=_runtime(functions),
        handlers=tuple(sorted({one["Handler"].rpartition(".")[0] for one in functions})),
        stateful=frozenset(one["Type"] for one in document["Resources"].values() if one.get("DeletionPolicy") in KEPT),
    )


def infra_folder() -> Path:
    """Return infra/: inside the package in a wheel, beside the package in a checkout."""
    package = Path(pipeline.__file__).parent
    inside = package / "infra"
    return inside if inside.is_dir() else package.parent / "infra"


def _runtime(functions: list[Any]) -> Runtime:
    found = {(one["Runtime"], *one.get("Architectures", ["x86_64"])) for one in functions}
    if len(found) != 1:
        raise UsageError("the template's functions must share one runtime and one architecture: they share one bundle")
    [(runtime, architecture)] = found
    return Runtime(python=runtime.removeprefix("python"), architecture=architecture)


def _parse(text: str) -> Any:
    """Return the template as plain values; what CloudFormation works out itself stands as its argument."""
    import yaml  # noqa: PLC0415 - only a deployment needs it

    class Loader(yaml.SafeLoader):
        """Reads `!Ref` and its like too."""

    def argument(loader: yaml.SafeLoader, _: str, node: yaml.Node) -> Any:
        if isinstance(node, yaml.ScalarNode):
            return loader.construct_scalar(node)
        if isinstance(node, yaml.SequenceNode):
            return loader.construct_sequence(node, deep=True)
        return loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]  # the one kind that is left

    Loader.add_multi_constructor("!", argument)
    return yaml.load(text, Loader)  # noqa: S506 - a safe loader


CODE = frozenset({"CodeBucket", "CodeKey"})  # what `deploy` sets itself
POLICY = "Policy"

_NAME = re.compile(r"[a-z][a-z0-9-]{0,39}", re.ASCII)


def check_name(name: str) -> None:
    """Check a stack's name: resources are named after it, and the strictest of them decides.

    Raises:
        UsageError: It is none.
    """
    if not _NAME.fullmatch(name):
        raise UsageError(
            f"no name for a stack: {name!r}; take lower-case letters, digits and hyphens, a letter first, "
            "at most 40 characters"
        )


def check_parameters(given: Mapping[str, str], *, template: Template) -> None:
    """Check parameters, by name.

    Raises:
        UsageError: One is none of the template's, is not the user's to set, or cannot have that value; names them all.
    """
    problems = [problem for name, value in given.items() if (problem := _problem(name, value, template))]
    if problems:
        raise UsageError("; ".join(problems))


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
    except UsageError as error:
        return f"is {error}"
    return None
