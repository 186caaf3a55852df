"""The README of the Terraform module: its commands, inputs and CDK application match what is there."""

import ast
import re
import shlex

import pytest

from pipeline.aws.deployment.template import load_template
from pipeline.cli.main import load_command
from tests.support.cloudformation import FILE
from tests.support.command_line import call

FOLDER = FILE.parent / "terraform"
README = (FOLDER / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", README, re.MULTILINE | re.DOTALL)
COMMANDS = [
    *(line for language, block in BLOCKS if language == "shell" for line in block.splitlines()),
    *re.findall(r"`(mailfold \w+ --[^`…]*|aws iam [^`]*)`", README.replace("\n", " ")),
]


@pytest.mark.parametrize("line", [line for line in COMMANDS if line.startswith("mailfold ")])
def test_a_mailfold_command_has_these_options(line: str) -> None:
    """Every option exists."""
    words = shlex.split(re.sub(r" > \S+$", "", line))
    valid = {option for parameter in load_command(words[1]).params for option in parameter.opts}
    assert {word for word in words if word.startswith("--")} <= valid


def test_the_aws_command_is_valid() -> None:
    """The service-linked role is that of ECS."""
    [line] = [line for line in COMMANDS if line.startswith("aws ")]
    assert call(line).parameters == {"AWSServiceName": "ecs.amazonaws.com"}


def test_the_module_gets_declared_inputs() -> None:
    """Every input of the example is a variable of the module, and every parameter one of the template."""
    [example] = [block for language, block in BLOCKS if language == "hcl"]
    module, _, parameters = example.partition("parameters = {")
    inputs = set(re.findall(r"^  (\w+) +=", module, re.MULTILINE)) - {"source"} | {"tags"}
    declared = set(re.findall(r'^variable "(\w+)"', (FOLDER / "variables.tf").read_text(), re.MULTILINE))
    assert inputs <= declared
    assert set(re.findall(r"^    (\w+) +=", parameters, re.MULTILINE)) <= load_template().parameters.keys()
    outputs = set(re.findall(r"module\.mailfold\.(\w+)", README))
    assert outputs <= set(re.findall(r'^output "(\w+)"', (FOLDER / "outputs.tf").read_text(), re.MULTILINE))


def test_the_cdk_application_passes_parameters_of_the_template() -> None:
    """It is valid Python, and names code and parameters as the template does."""
    [application] = [block for language, block in BLOCKS if language == "python"]
    tree = ast.parse(application)
    keywords = {keyword.arg for node in ast.walk(tree) if isinstance(node, ast.Call) for keyword in node.keywords}
    keys = {
        key.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant)
    }
    assert keys == {"CodeBucket", "CodeKey"}
    assert {"AlarmEmail"} <= keywords & load_template().parameters.keys()


def test_named_parameters_and_outputs_exist() -> None:
    """Words in code style that look like parameters are those of the template."""
    known = load_template().parameters.keys() | load_template().document["Resources"].keys()
    named = set(re.findall(r"`([A-Z][a-z]+[A-Z]\w+)(?:=\w+)?`", README)) - {"BatchGetItem"}
    assert named <= known
