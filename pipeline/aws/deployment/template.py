"""The CloudFormation template as `deploy` reads it: its parameters, its functions, and what holds data.

infra/mailfold.yaml is the one definition; nothing here adds to it.
docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/template-anatomy.html
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec

import pipeline
from pipeline.errors import Misuse

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
def template() -> Template:
    """Return the template.

    Raises:
        Misuse: Its functions do not all have one and the same Python and processor.
    """
    text = folder().joinpath("mailfold.yaml").read_text(encoding="utf-8")
    document = _parse(text)
    functions = [one["Properties"] for one in document["Resources"].values() if one["Type"] == FUNCTION]
    return Template(
        text=text,
        parameters=document["Parameters"],
        runtime=_runtime(functions),
        handlers=tuple(sorted({one["Handler"].rpartition(".")[0] for one in functions})),
        stateful=frozenset(one["Type"] for one in document["Resources"].values() if one.get("DeletionPolicy") in KEPT),
    )


def folder() -> Path:
    """Return infra/: inside the package in a wheel, beside the package in a checkout."""
    package = Path(pipeline.__file__).parent
    inside = package / "infra"
    return inside if inside.is_dir() else package.parent / "infra"


def _runtime(functions: list[Any]) -> Runtime:
    found = {(one["Runtime"], *one.get("Architectures", ["x86_64"])) for one in functions}
    if len(found) != 1:
        raise Misuse("the template's functions must share one runtime and one architecture: they share one bundle")
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
