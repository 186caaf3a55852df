"""Runs a command of AWS's own command line by boto3, so that what the doctor tells people to run is run.

A command's options are its operation's parameters, and their values what the parameters' shapes say.
docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters-types.html
"""

import json
import shlex
from collections.abc import Callable, Iterator
from typing import Any

from botocore import xform_name

from tests.emulator.ministack import REGION

SERVICES = {"s3api": "s3"}  # the command line's name for it


def run_aws(command: str, client: Callable[[Any], Any]) -> None:
    """Run a command `aws SERVICE OPERATION --OPTION VALUE… --region …`."""
    name, service, operation, *rest = shlex.split(command)
    assert name == "aws"
    api = client(SERVICES.get(service, service))
    method = operation.replace("-", "_")
    shape = api.meta.service_model.operation_model(api.meta.method_to_api_mapping[method]).input_shape
    members = {xform_name(member, "-"): member for member in shape.members}
    arguments = {}
    for option, values in options(rest):
        if option == "region":
            assert values == [REGION]
        else:
            arguments[members[option]] = value(shape.members[members[option]], values)
    getattr(api, method)(**arguments)


def options(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Give each option with the words up to the next."""
    starts = [index for index, word in enumerate(words) if word.startswith("--")]
    for start, end in zip(starts, [*starts[1:], len(words)], strict=True):
        yield words[start].removeprefix("--"), words[start + 1 : end]


def value(shape: Any, words: list[str]) -> Any:
    """Return what the words of an option mean as a parameter."""
    if shape.type_name == "boolean" and not words:
        return True
    if shape.type_name == "list" and not words[0].startswith("["):
        return [value(shape.member, [word]) for word in words]
    [word] = words
    match shape.type_name:
        case "structure" if not word.startswith("{"):  # A=1,B=true
            pairs = (pair.split("=") for pair in word.split(","))
            return {name: value(shape.members[name], [text]) for name, text in pairs}
        case "structure" | "list" | "map":
            return json.loads(word)
        case "boolean":
            return {"true": True, "false": False}[word]
        case "integer" | "long":
            return int(word)
    return word
