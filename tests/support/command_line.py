"""A parser of AWS CLI commands, to test the commands that messages recommend.

The AWS CLI derives commands and options from botocore's models: a command is an operation, its options are the
operation's parameters, and the parameters' shapes define the values.
docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters-types.html
"""

import json
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore import xform_name
from botocore.model import ListShape, OperationModel, Shape, StructureShape
from botocore.session import Session

SERVICES = {"s3api": "s3"}  # names in the AWS CLI that differ from boto3's


@dataclass(frozen=True, kw_only=True)
class Call:
    """The API call of a command.

    Attributes:
        service: Name of the service in boto3.
        operation: Botocore's model of the operation.
        parameters: Parameters of the call.
        region: Region, if the command names it.
    """

    service: str
    operation: OperationModel
    parameters: dict[str, Any]
    region: str | None

    def make(self, client: Any) -> None:
        """Make the call with a client of the service."""
        getattr(client, xform_name(self.operation.name))(**self.parameters)


def call(command: str) -> Call:
    """Parse a command `aws SERVICE OPERATION --OPTION VALUE…`. Fail if the AWS CLI would reject it."""
    aws, service, name, *words = shlex.split(command)
    assert aws == "aws"
    model = _session().get_service_model(SERVICES.get(service, service))
    [operation] = [
        candidate
        for candidate in map(model.operation_model, model.operation_names)
        if xform_name(candidate.name, "-") == name
    ]
    assert operation.input_shape
    shapes = {xform_name(member, "-"): (member, shape) for member, shape in operation.input_shape.members.items()}
    values_by_option = dict(options(words))
    [region] = values_by_option.pop("region", [None])
    parameters = {shapes[name][0]: _parse_option(shapes[name][1], values) for name, values in values_by_option.items()}
    return Call(service=model.service_name, operation=operation, parameters=parameters, region=region)


def options(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Yield each option, without its dashes, with the words up to the next option."""
    starts = [index for index, word in enumerate(words) if word.startswith("--")]
    for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
        yield words[start].removeprefix("--"), words[start + 1 : end]


def _parse_option(shape: Shape, words: list[str]) -> Any:
    """Return the value of a parameter for the words after its option."""
    if shape.type_name == "boolean":
        assert not words, "an option that is true or false takes no value"
        return True
    if isinstance(shape, ListShape) and not words[0].startswith("["):
        return [_parse_value(shape.member, word) for word in words]
    [word] = words
    return _parse_value(shape, word)


def _parse_value(shape: Shape, word: str) -> Any:
    match shape.type_name:
        case "structure" if isinstance(shape, StructureShape) and not word.startswith("{"):  # A=1,B=true
            pairs = (pair.split("=", 1) for pair in word.split(","))
            return {name: _parse_value(shape.members[name], text) for name, text in pairs}
        case "structure" | "list" | "map":
            return json.loads(word)
        case "boolean":
            return {"true": True, "false": False}[word]
        case "integer" | "long":
            return int(word)
    return word


@cache
def _session() -> Session:
    return Session()
