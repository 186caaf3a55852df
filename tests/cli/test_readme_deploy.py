"""What the README says about deploying: our commands run as far as they go without AWS, AWS's are as AWS takes them.

The AWS CLI makes its commands and options from the models that botocore reads, so they are checked against those.
docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters-types.html
"""

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from boto3.session import Session
from botocore import xform_name
from botocore.validate import ParamValidator

from pipeline.aws.deployment.template import template
from pipeline.cli.main import app
from tests.aws.wheels import from_folder
from tests.cli.command import COMMAND, WAIT_SECONDS
from tests.cli.test_readme import BLOCKS

LINES = [
    line for language, text in BLOCKS if language == "shell" for line in text.replace("\\\n", " ").splitlines() if line
]
NAMES = {"s3api": "s3"}  # what the AWS CLI calls otherwise than boto3
OURS = [line for line in LINES if line.startswith("mailfold ")]
THEIRS = [line for line in LINES if line.startswith("aws ")]


def request(line: str) -> tuple[Any, dict[str, Any]]:
    """Return the operation of AWS's that a line calls, and what it asks, as the AWS CLI would."""
    _, service, command, *words = shlex.split(line)
    client = Session(region_name="eu-west-1").client(NAMES.get(service, service))  # type: ignore[call-overload]
    [name] = [name for name in client.meta.service_model.operation_names if xform_name(name, "-") == command]
    operation = client.meta.service_model.operation_model(name)
    members = {
        f"--{xform_name(member, '-')}": (member, shape) for member, shape in operation.input_shape.members.items()
    }
    asked: dict[str, Any] = {}
    for option, values in options(words):
        member, shape = members[option]
        asked[member] = value(shape, values)
    return operation, asked


def options(words: list[str]) -> Iterator[tuple[str, list[str]]]:
    """Give each option with the words that follow it."""
    places = [number for number, word in enumerate(words) if word.startswith("--")]
    for begin, end in zip(places, [*places[1:], len(words)], strict=True):
        yield words[begin], words[begin + 1 : end]


def value(shape: Any, words: list[str]) -> Any:
    """Return what words after an option mean."""
    if shape.type_name == "boolean":
        assert words == []
        return True
    if shape.type_name == "list":
        return [value(shape.member, [word]) for word in words]
    [word] = words
    if shape.type_name == "structure":
        return dict(part.split("=", 1) for part in word.split(","))
    return word


def test_there_are_commands_of_both() -> None:
    assert (len(OURS), len(THEIRS)) == (8, 3)
    assert len(LINES) == len(OURS) + len(THEIRS)


@pytest.mark.parametrize("line", THEIRS)
def test_a_command_of_awss_is_one_and_says_all_that_it_must(line: str) -> None:
    operation, asked = request(line)
    report = ParamValidator().validate(asked, operation.input_shape)
    assert not report.has_errors(), report.generate_report()


def test_the_stack_gets_what_was_uploaded_and_all_that_the_template_has_no_default_for() -> None:
    (_, template_put), (_, bundle_put), (_, asked) = map(request, THEIRS)
    given = {one["ParameterKey"]: one["ParameterValue"] for one in asked["Parameters"]}
    assert given == {"CodeBucket": bundle_put["Bucket"], "CodeKey": bundle_put["Key"]}
    assert given.keys() == {name for name, one in template().parameters.items() if "Default" not in one}
    assert asked["TemplateURL"] == f"https://{template_put['Bucket']}.s3.amazonaws.com/{template_put['Key']}"
    assert asked["Capabilities"] == ["CAPABILITY_IAM"]


@pytest.mark.parametrize("line", OURS)
def test_a_command_of_ours_has_these_options(line: str) -> None:
    """What they do is what the tests of the command show."""
    _, name, *words = shlex.split(re.sub(r" > \S+$", "", line))
    parameters = typer.main.get_group(app).commands[name].params
    known = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {option for option, _ in options(words)} <= known


def test_what_is_to_be_uploaded_is_made_without_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(COMMAND).parent}:/usr/bin:/bin")
    script = "\n".join(line for line in OURS if "-only" in line)
    with from_folder():
        subprocess.run(["/bin/sh", "-ec", script], cwd=tmp_path, check=True, timeout=WAIT_SECONDS, capture_output=True)  # noqa: S603
    uploaded = {request(line)[1]["Body"] for line in THEIRS if "put-object" in line}
    assert {file.name for file in tmp_path.iterdir()} == uploaded
    assert (tmp_path / "mailfold.yaml").read_text() == template().text
