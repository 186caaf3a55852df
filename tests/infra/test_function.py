"""The Lambda functions: code, runtime, logs and environment."""

from importlib import import_module
from typing import Any

import pytest
from aws_lambda_powertools.shared.constants import SERVICE_NAME_ENV

from pipeline.aws import settings
from tests.support.cloudformation import ACCOUNT, NAME, REGION, TOPIC, every, stack, template

FUNCTIONS = sorted(stack().of_type("AWS::Lambda::Function"))
NEWEST_PYTHON = "python3.14"  # docs.aws.amazon.com/lambda/latest/dg/lambda-runtimes.html, November 2026
FIREHOSE_WAITS_SECONDS = 300  # docs.aws.amazon.com/firehose/latest/dev/data-transformation.html


def function(name: str, **parameters: str) -> Any:
    """Return the properties of a function."""
    return stack(**parameters).properties(name)


def variables(**parameters: str) -> dict[str, str]:
    """Return the environment of the projector."""
    environment: dict[str, str] = function("Projector", **parameters)["Environment"]["Variables"]
    return environment


def test_there_are_three_functions() -> None:
    """The template has the projector, the reconciler and the transform."""
    assert FUNCTIONS == ["Projector", "Reconciler", "Transform"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_runs_the_newest_python_on_arm(name: str) -> None:
    """All functions have Lambda's newest Python on arm64."""
    assert function(name)["Runtime"] == NEWEST_PYTHON
    assert function(name)["Architectures"] == ["arm64"]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_handler_can_be_imported(name: str) -> None:
    """The handler in the template exists."""
    module, _, handler = function(name)["Handler"].rpartition(".")
    assert callable(getattr(import_module(module), handler))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_code_is_named_by_the_parameters(name: str) -> None:
    """Both functions use the same bundle."""
    code = function(name, CodeBucket="my-code", CodeKey="mailfold-1.zip")["Code"]
    assert code == {"S3Bucket": "my-code", "S3Key": "mailfold-1.zip"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_has_its_own_log_group_with_a_retention(name: str) -> None:
    """The parameter changes the retention."""
    assert function(name)["LoggingConfig"] == {"LogGroup": f"{{{name}Logs}}"}
    assert stack().properties(f"{name}Logs") == {"RetentionInDays": "30"}
    assert stack(DiagnosticRetentionDays="90").properties(f"{name}Logs") == {"RetentionInDays": "90"}


def test_every_log_group_has_a_retention() -> None:
    """No log group keeps its events forever."""
    assert all("RetentionInDays" in group for group in stack().of_type("AWS::Logs::LogGroup").values())


@pytest.mark.parametrize("name", ["Projector", "Transform"])
def test_concurrency_is_reserved_only_if_requested(name: str) -> None:
    """By default no concurrency is reserved."""
    assert "ReservedConcurrentExecutions" not in function(name)
    assert function(name, **{f"{name}ReservedConcurrency": "5"})["ReservedConcurrentExecutions"] == "5"


def test_the_transform_times_out_before_firehose() -> None:
    """Firehose waits five minutes for the transform."""
    assert function("Transform")["Timeout"] < FIREHOSE_WAITS_SECONDS


def test_the_transform_has_only_its_name_in_its_environment() -> None:
    """The transform needs no resource."""
    assert list(function("Transform")["Environment"]["Variables"]) == [settings.SERVICE]


def test_service_names_contain_the_stack() -> None:
    """The service name distinguishes metrics of two stacks."""
    assert function("Transform")["Environment"]["Variables"][settings.SERVICE] == "mail-fold-transform"
    assert function("Projector")["Environment"]["Variables"][settings.SERVICE] == "mail-fold-projector"


def test_powertools_reads_the_service_name() -> None:
    """The variable is the one that Powertools reads."""
    assert settings.SERVICE == SERVICE_NAME_ENV


def test_the_projector_has_every_required_setting() -> None:
    """Table and bucket are those of the stack."""
    assert variables()[settings.TABLE] == "{SuppressionTable}"
    assert variables()[settings.BUCKET] == "{LogBucket}"


def test_the_projector_has_a_policy_only_if_given() -> None:
    """Without the parameter the default policy applies."""
    assert settings.POLICY not in variables()
    assert variables(Policy='{"version":2}')[settings.POLICY] == '{"version":2}'


def test_the_environment_can_be_read_as_settings() -> None:
    """The settings are parsed with the names of the deployed resources."""
    table = stack().properties("SuppressionTable")["TableName"]
    stream = "mail-fold-DeliveryStream-1"
    names = {settings.TABLE: table, settings.BUCKET: "mail-fold-logbucket-1", settings.DELIVERY_STREAM: stream}
    read = settings.read_settings(variables(NotificationTopic=TOPIC) | names)
    assert (read.table, read.delivery_stream) == (table, stream)
    assert read.tables_parameter == stack().outputs["TablesParameter"]["Value"]


def test_the_projector_writes_the_log_only_with_a_topic() -> None:
    """SES itself archives events that arrive another way."""
    assert settings.DELIVERY_STREAM not in variables()
    assert variables(NotificationTopic=TOPIC)[settings.DELIVERY_STREAM] == "{DeliveryStream}"


def test_every_variable_is_a_known_setting() -> None:
    """The template sets no variable that the code does not read."""
    setting_names = {value for name, value in vars(settings).items() if name.isupper() and isinstance(value, str)}
    for name in FUNCTIONS:
        assert set(template()["Resources"][name]["Properties"]["Environment"]["Variables"]) <= setting_names


@pytest.mark.parametrize(
    ("role", "pattern"),
    [
        ("SesRole", f"arn:aws:firehose:{REGION}:{ACCOUNT}:deliverystream/{NAME}-*"),
        ("DeliveryRole", f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{NAME}-*:$LATEST"),
    ],
)
def test_a_role_exists_before_what_its_policy_names(role: str, pattern: str) -> None:
    """Patterns name the Firehose stream and the function: a service can assume a new role only after seconds."""
    assert pattern in {value for value in every(stack().properties(role)) if isinstance(value, str)}
    named = {str(value).strip("${}").partition(".")[0] for value in every(template()["Resources"][role])}
    assert not named & {"DeliveryStream", "Transform"}
