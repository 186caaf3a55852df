"""What the README says about deploying: our commands run as far as they go without AWS, AWS's are as AWS takes them."""

import re
import shlex
import subprocess
from pathlib import Path

import pytest
import typer
from botocore.validate import ParamValidator

from pipeline.aws.deployment.template import load_template
from pipeline.cli.main import app
from tests.cli.test_readme import BLOCKS, README
from tests.support.command import COMMAND, WAIT_SECONDS
from tests.support.command_line import call, options
from tests.support.wheels import from_folder

LINES = [
    line for language, text in BLOCKS if language == "shell" for line in text.replace("\\\n", " ").splitlines() if line
]
OURS = [line for line in LINES if line.startswith("mailfold ")]
THEIRS = [line for line in LINES if line.startswith("aws ")]


def test_there_are_commands_of_both() -> None:
    assert (len(OURS), len(THEIRS)) == (9, 3)
    assert len(LINES) == len(OURS) + len(THEIRS)


@pytest.mark.parametrize("line", THEIRS)
def test_a_command_of_awss_is_one_and_says_all_that_it_must(line: str) -> None:
    told = call(line)
    assert told.operation.input_shape
    report = ParamValidator().validate(told.parameters, told.operation.input_shape)
    assert not report.has_errors(), report.generate_report()


def test_the_stack_gets_what_was_uploaded_and_all_that_the_template_has_no_default_for() -> None:
    template_put, bundle_put, asked = [call(line).parameters for line in THEIRS]
    given = {one["ParameterKey"]: one["ParameterValue"] for one in asked["Parameters"]}
    assert given == {"CodeBucket": bundle_put["Bucket"], "CodeKey": bundle_put["Key"]}
    assert given.keys() == {name for name, one in load_template().parameters.items() if "Default" not in one}
    assert asked["TemplateURL"] == f"https://{template_put['Bucket']}.s3.amazonaws.com/{template_put['Key']}"
    assert asked["Capabilities"] == ["CAPABILITY_IAM"]


@pytest.mark.parametrize("line", OURS)
def test_a_command_of_ours_has_these_options(line: str) -> None:
    """What they do is what the tests of the command show."""
    _, name, *words = shlex.split(re.sub(r" > \S+$", "", line))
    parameters = typer.main.get_group(app).commands[name].params
    known = {option for parameter in parameters for option in (*parameter.opts, *parameter.secondary_opts)}
    assert {f"--{option}" for option, _ in options(words)} <= known


def test_every_parameter_that_it_names_is_the_templates_and_takes_that_value() -> None:
    named = re.findall(r"--param (\w+)=([\w@.]+)", README)
    assert {name for name, _ in named} >= {"AlarmEmail", "NotificationTopic", "NotificationRoute", "Consumer"}
    for name, value in named:
        assert value in load_template().parameters[name].get("AllowedValues", [value])


def test_what_is_to_be_uploaded_is_made_without_aws(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{Path(COMMAND).parent}:/usr/bin:/bin")
    script = "\n".join(line for line in OURS if "-only" in line)
    with from_folder():
        subprocess.run(["/bin/sh", "-ec", script], cwd=tmp_path, check=True, timeout=WAIT_SECONDS, capture_output=True)  # noqa: S603 - what the README says
    uploaded = {call(line).parameters["Body"] for line in THEIRS if "put-object" in line}
    assert {file.name for file in tmp_path.iterdir()} == uploaded
    assert (tmp_path / "mailfold.yaml").read_text() == load_template().text
