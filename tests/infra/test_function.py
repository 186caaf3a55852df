"""The Lambda functions: code, runtime, logs and environment."""

from importlib import import_module
from typing import Any

import pytest
from aws_lambda_powertools.shared.constants import SERVICE_NAME_ENV

from pipeline.aws import settings
from tests.support.cloudformation import TOPIC, stack, template

FUNCTIONS = sorted(stack().of_type("AWS::Lambda::Function"))
NEWEST_PYTHON = "python3.14"  # docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html, November 2026
FIREHOSE_WAITS_SECONDS = 300  # docs.aws.amazon.com/firehose/latest/dev/data-transformation.html


def function(name: str, **parameters: str) -> Any:
    return stack(**parameters).properties(name)


def variables(**parameters: str) -> dict[str, str]:
    environment: dict[str, str] = function("Projector", **parameters)["Environment"]["Variables"]
    return environment


def test_there_are_two() -> None:
    assert FUNCTIONS == ["Projector", "Transform"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_runs_the_newest_python_on_arm(name: str) -> None:
    assert function(name)["Runtime"] == NEWEST_PYTHON
    assert function(name)["Architectures"] == ["arm64"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_handler_can_be_imported(name: str) -> None:
    module, _, handler = function(name)["Handler"].rpartition(".")
    assert callable(getattr(import_module(module), handler))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_code_is_the_bundle_that_the_parameters_name(name: str) -> None:
    code = function(name, CodeBucket="my-code", CodeKey="mailfold-1.zip")["Code"]
    assert code == {"S3Bucket": "my-code", "S3Key": "mailfold-1.zip"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_logs_into_a_group_of_its_own_which_forgets(name: str) -> None:
    assert function(name)["LoggingConfig"] == {"LogGroup": f"{{{name}Logs}}"}
    assert stack().properties(f"{name}Logs") == {"RetentionInDays": "30"}
    assert stack(DiagnosticRetentionDays="90").properties(f"{name}Logs") == {"RetentionInDays": "90"}


def test_no_log_group_keeps_anything_for_ever() -> None:
    assert all("RetentionInDays" in group for group in stack().of_type("AWS::Logs::LogGroup").values())


@pytest.mark.parametrize("name", FUNCTIONS)
def test_concurrency_is_reserved_only_if_asked_for(name: str) -> None:
    assert "ReservedConcurrentExecutions" not in function(name)
    assert function(name, **{f"{name}ReservedConcurrency": "5"})["ReservedConcurrentExecutions"] == "5"


def test_the_transform_answers_before_firehose_gives_it_up() -> None:
    assert function("Transform")["Timeout"] < FIREHOSE_WAITS_SECONDS


def test_the_transform_needs_nothing_from_its_environment_but_its_name() -> None:
    assert list(function("Transform")["Environment"]["Variables"]) == [settings.SERVICE]


def test_the_functions_of_two_stacks_have_four_names() -> None:
    assert function("Transform")["Environment"]["Variables"][settings.SERVICE] == "mail-fold-transform"
    assert function("Projector")["Environment"]["Variables"][settings.SERVICE] == "mail-fold-projector"


def test_powertools_reads_the_name_under_which_it_is_given() -> None:
    assert settings.SERVICE == SERVICE_NAME_ENV


def test_the_projector_gets_every_setting_that_has_no_default() -> None:
    assert variables()[settings.TABLE] == "{SuppressionTable}"
    assert variables()[settings.BUCKET] == "{LogBucket}"


def test_the_projector_gets_a_policy_only_if_there_is_one() -> None:
    assert settings.POLICY not in variables()
    assert variables(Policy='{"version":2}')[settings.POLICY] == '{"version":2}'


def test_the_table_and_the_policy_that_the_template_gives_are_settings_that_can_be_read() -> None:
    table = stack().properties("SuppressionTable")["TableName"]
    stream = "mail-fold-DeliveryStream-1"
    names = {settings.TABLE: table, settings.BUCKET: "mail-fold-logbucket-1", settings.DELIVERY_STREAM: stream}
    read = settings.read_settings(variables(NotificationTopic=TOPIC) | names)
    assert (read.table, read.delivery_stream) == (table, stream)
    assert read.tables_parameter == stack().outputs["TablesParameter"]["Value"]


def test_the_projector_feeds_the_log_only_if_there_is_a_topic() -> None:
    assert settings.DELIVERY_STREAM not in variables()
    assert variables(NotificationTopic=TOPIC)[settings.DELIVERY_STREAM] == "{DeliveryStream}"


def test_every_variable_is_one_that_the_settings_read() -> None:
    known = {value for name, value in vars(settings).items() if name.isupper() and isinstance(value, str)}
    for name in FUNCTIONS:
        assert set(template()["Resources"][name]["Properties"]["Environment"]["Variables"]) <= known
