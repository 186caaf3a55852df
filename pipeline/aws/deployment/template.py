"""The CloudFormation template as `deploy` reads it: parameters, runtime, handlers, and types that hold data.

infra/mailfold.yaml is the one definition. Nothing here adds to it.
docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import yaml

import pipeline
from pipeline.errors import UsageError

RETAIN_POLICIES = frozenset({"Retain", "RetainExceptOnCreate", "Snapshot"})  # deletion policies of what holds data
FUNCTION = "AWS::Lambda::Function"


class LambdaRuntime(msgspec.Struct, frozen=True, kw_only=True):
    """Runtime of the Lambda functions.

    Attributes:
        python: Version of Python, such as `3.14`.
        architecture: Processor in Lambda's terms, `arm64` or `x86_64`.
    """

    python: str
    architecture: str


class Template(msgspec.Struct, frozen=True, kw_only=True):
    """The template.

    Attributes:
        text: Text as CloudFormation reads it.
        document: The parsed text, with intrinsic functions in their long form.
        parameters: Declarations of the parameters, by name.
        runtime: Runtime of the functions.
        handlers: Modules of the functions' handlers.
        stateful: Types of resources that hold data, or protect it.
    """

    text: str
    document: Mapping[str, Any]
    parameters: Mapping[str, Mapping[str, Any]]
    runtime: LambdaRuntime
    handlers: tuple[str, ...]
    stateful: frozenset[str]

    @property
    def version(self) -> str:
        """Version of Mailfold that the template is of."""
        return str(self.document["Outputs"]["Version"]["Value"])

    @property
    def sha256(self) -> str:
        """SHA-256 of the text, in hex."""
        return sha256(self.text.encode()).hexdigest()


@cache
def load_template() -> Template:
    """Return the template.

    Raises:
        UsageError: Its functions differ in runtime or architecture.
    """
    text = infra_folder().joinpath("mailfold.yaml").read_text(encoding="utf-8")
    document = yaml.load(text, _Loader)  # noqa: S506 - a subclass of SafeLoader
    resources = document["Resources"].values()
    functions = [resource["Properties"] for resource in resources if resource["Type"] == FUNCTION]
    return Template(
        text=text,
        document=document,
        parameters=document["Parameters"],
        runtime=_shared_runtime(functions),
        handlers=tuple(sorted({function["Handler"].rpartition(".")[0] for function in functions})),
        stateful=frozenset(
            resource["Type"] for resource in resources if resource.get("DeletionPolicy") in RETAIN_POLICIES
        ),
    )


def infra_folder() -> Path:
    """Return infra/: inside the package in a wheel, beside the package in a checkout."""
    package = Path(pipeline.__file__).parent
    inside = package / "infra"
    return inside if inside.is_dir() else package.parent / "infra"


def _shared_runtime(functions: list[Any]) -> LambdaRuntime:
    runtimes = {(function["Runtime"], *function.get("Architectures", ["x86_64"])) for function in functions}
    if len(runtimes) != 1:
        raise UsageError("the template's functions must share one runtime and one architecture: they share one bundle")
    [(runtime, architecture)] = runtimes
    return LambdaRuntime(python=runtime.removeprefix("python"), architecture=architecture)


class _Loader(yaml.SafeLoader):
    """Reads the short form of intrinsic functions as the long one: `!Sub text` as `{"Fn::Sub": "text"}`."""


def _construct_function(loader: yaml.SafeLoader, name: str, node: yaml.Node) -> dict[str, Any]:
    function = name if name in {"Ref", "Condition"} else f"Fn::{name}"
    # The template passes a mapping to no function.
    return {function: loader.construct_sequence(node, deep=True) if isinstance(node, yaml.SequenceNode) else node.value}


_Loader.add_multi_constructor("!", _construct_function)
