"""The README's deployment commands: `mailfold` and `aws` commands have valid options, and the files are built."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
from botocore.validate import ParamValidator

from pipeline.aws.deployment.template import load_template
from pipeline.cli.main import load_command
from tests.cli.test_readme import BLOCKS, README
from tests.support.command import COMMAND, ROOT, WAIT_SECONDS
from tests.support.command_line import call, options
from tests.support.wheels import from_folder

LINES = [
    line for language, text in BLOCKS if language == "shell" for line in text.replace("\\\n", " ").splitlines() if line
]
MAILFOLD_LINES = [line for line in LINES if line.startswith("mailfold ")]
AWS_LINES = [line for line in LINES if line.startswith("aws ")]


def test_the_readme_has_commands_of_mailfold_and_of_aws() -> None:
    """The README's deployment part has seven `mailfold` and three `aws` commands."""
    assert (len(MAILFOLD_LINES), len(AWS_LINES)) == (7, 3)
    assert len(LINES) == len(MAILFOLD_LINES) + len(AWS_LINES)


@pytest.mark.parametrize("line", AWS_LINES)
def test_an_aws_command_has_all_required_parameters(line: str) -> None:
    """Every `aws` command is valid by botocore's model of its operation."""
    aws_call = call(line)
    assert aws_call.operation.input_shape
    report = ParamValidator().validate(aws_call.parameters, aws_call.operation.input_shape)
    assert not report.has_errors(), report.generate_report()


def test_the_stack_gets_the_uploads_and_all_required_parameters() -> None:
    """The stack is created from the uploaded files, with each parameter that has no default."""
    template_put, bundle_put, create_stack = [call(line).parameters for line in AWS_LINES]
    parameters = {item["ParameterKey"]: item["ParameterValue"] for item in create_stack["Parameters"]}
    assert parameters == {"CodeBucket": bundle_put["Bucket"], "CodeKey": bundle_put["Key"]}
    required = {name for name, item in load_template().parameters.items() if "Default" not in item}
    assert parameters.keys() == required
    assert create_stack["TemplateURL"] == f"https://{template_put['Bucket']}.s3.amazonaws.com/{template_put['Key']}"
    assert create_stack["Capabilities"] == ["CAPABILITY_IAM"]


@pytest.mark.parametrize("line", MAILFOLD_LINES)
def test_a_mailfold_command_has_these_options(line: str) -> None:
    """Every option of a `mailfold` command in the README is an option of that command."""
    _, name, *words = shlex.split(re.sub(r" > \S+$", "", line))
    parameters = load_command(name).params
    valid_options = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {f"--{option}" for option, _ in options(words)} <= valid_options


def test_every_named_parameter_allows_its_value() -> None:
    """Every --param of the README and of the stack's page is a parameter of the template that allows the value."""
    pages = README + (ROOT / "infra/README.md").read_text(encoding="utf-8")
    named_parameters = re.findall(r"--param (\w+)=([\w@.]+)", pages)
    assert {name for name, _ in named_parameters} >= {
        "AlarmEmail",
        "NotificationTopic",
        "NotificationRoute",
        "Consumer",
    }
    for name, value in named_parameters:
        assert value in load_template().parameters[name].get("AllowedValues", [value])


def test_the_uploads_are_built_without_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Template and bundle are written without AWS, under the names that are uploaded."""
    monkeypatch.setenv("PATH", f"{Path(COMMAND).parent}:/usr/bin:/bin")
    script = "\n".join(line for line in MAILFOLD_LINES if "-only" in line)
    with from_folder():
        subprocess.run(["/bin/sh", "-ec", script], cwd=tmp_path, check=True, timeout=WAIT_SECONDS, capture_output=True)  # noqa: S603 - a script of the README
    uploaded_names = {call(line).parameters["Body"] for line in AWS_LINES if "put-object" in line}
    assert {file.name for file in tmp_path.iterdir()} == uploaded_names
    assert (tmp_path / "mailfold.yaml").read_text() == load_template().text
