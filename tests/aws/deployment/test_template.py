"""The template as `deploy` reads it."""

import re
import tomllib
from datetime import date

from pipeline.aws.deployment.parameters import CODE
from pipeline.aws.deployment.template import load_template
from tests.support import cloudformation


def test_the_parsed_template_equals_that_of_cfn_lint() -> None:
    """Text, parameters, runtime and stateful types agree with another parser of the template."""
    document = cloudformation.template()
    assert load_template().text == cloudformation.FILE.read_text(encoding="utf-8")
    assert load_template().parameters == document["Parameters"]
    assert load_template().parameters.keys() >= CODE
    resources = document["Resources"].values()
    functions = [resource["Properties"] for resource in resources if resource["Type"] == "AWS::Lambda::Function"]
    assert {(function["Runtime"], *function["Architectures"]) for function in functions} == {
        (f"python{load_template().runtime.python}", load_template().runtime.architecture)
    }
    assert {"AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::Kinesis::Stream"} <= load_template().stateful


def test_no_iam_resource_has_a_custom_name() -> None:
    """CAPABILITY_IAM suffices only for IAM resources whose names CloudFormation generates."""
    assert not re.search(r"^ +(RoleName|ManagedPolicyName|GroupName|UserName):", load_template().text, re.MULTILINE)


def test_the_version_of_the_template_is_that_of_the_package() -> None:
    """`deploy` compares it with that of a stack."""
    project = tomllib.loads((cloudformation.FILE.parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
    assert load_template().version == project["project"]["version"]


def test_the_default_first_day_of_the_log_is_a_date() -> None:
    """The default of LogFirstDay is a valid date."""
    date.fromisoformat(load_template().parameters["LogFirstDay"]["Default"])
