"""Reads a command of AWS's own command line as the call that it makes, so that what people are told to run is checked.

The AWS CLI makes its commands and options from the models that botocore reads: a command is an operation, its options
are the operation's parameters, and their values mean what the parameters' shapes say.
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

SERVICES = {"s3api": "s3"}  # what the AWS CLI calls otherwise than boto3


@dataclass(frozen=True, kw_only=True)
class Call:
    """What a command calls.

    Attributes:
        service: As boto3 names it.
        operation: As botocore describes it.
        parameters: What is asked.
        region: Where, if the command says it.
    """

    service: str
    operation: OperationModel
    parameters: dict[str, Any]
    region: str | None

    def make(self, client: Any) -> None:
        """Call, by a client of the service."""
        getattr(client, xform_name(self.operation.name))(**self.parameters)


def call(command: str) -> Call:
    """Read a command `aws SERVICE OPERATION --OPTION VALUE…`. There is an error if the AWS CLI would not know it."""
    aws, service, name, *words = shlex.split(command)
    assert aws == "aws"
    model = _session().get_service_model(SERVICES.get(service, service))
    [operation] = [
        one for one in map(model.operation_model, model.operation_names) if xform_name(one.name, "-") == name
    ]
    assert operation.input_shape
    shapes = {xform_name(member, "-"): (member, shape) for member, shape in operation.input_shape.members.items()}
    given = dict(options(words))
    [region] = given.pop("region", [None])
    parameters = {shapes[option][0]: _given(shapes[option][1], values) for option, values in given.items()}
    return Call(service=model.service_name, operation=operation, parameters=parameters, region=region)


def options(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Give each option, without its dashes, with the words up to the next."""
    starts = [index for index, word in enumerate(words) if word.startswith("--")]
    for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
        yield words[start].removeprefix("--"), words[start + 1 : end]


def _given(shape: Shape, words: list[str]) -> Any:
    """Return what the words after an option mean as a parameter."""
    if shape.type_name == "boolean":
        assert not words, "an option that is true or false takes no value"
        return True
    if isinstance(shape, ListShape) and not words[0].startswith("["):
        return [_value(shape.member, word) for word in words]
    [word] = words
    return _value(shape, word)


def _value(shape: Shape, word: str) -> Any:
    match shape.type_name:
        case "structure" if isinstance(shape, StructureShape) and not word.startswith("{"):  # A=1,B=true
            pairs = (pair.split("=", 1) for pair in word.split(","))
            return {name: _value(shape.members[name], text) for name, text in pairs}
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
