"""The functions: the transform, which makes rows, and the projector, which folds feedback.

docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, fault
from pipeline.aws.settings import BUCKET, POLICY, SERVICE, TABLE, TABLES_PARAMETER
from pipeline.errors import Misuse
from pipeline.policy import parse_policy

if TYPE_CHECKING:
    from mypy_boto3_lambda import LambdaClient

RUNS_ON = 11  # the minor version of Python 3 that the package asks for: `requires-python` in pyproject.toml


def check_transform(deployment: Deployment) -> Iterator[Finding]:
    """Look at the transform."""
    name = deployment.output("Transform")
    found = _configuration(deployment, name)
    yield from _function(deployment, name, found, "records become no rows of the log")
    yield from _environment(name, found, {SERVICE: f"{deployment.stack.name}-transform"})


def check_projector(deployment: Deployment) -> Iterator[Finding]:
    """Look at the projector."""
    name = deployment.output("Projector")
    found = _configuration(deployment, name)
    wanted = {
        TABLE: deployment.output("SuppressionTable"),
        BUCKET: deployment.output("LogBucket"),
        TABLES_PARAMETER: deployment.output("TablesParameter"),
        SERVICE: f"{deployment.stack.name}-projector",
    }
    yield from _function(deployment, name, found, "no feedback reaches the table")
    yield from _environment(name, found, wanted)


def environment(found: Mapping[str, Any] | None) -> Mapping[str, str]:
    """Return a function's environment from its configuration."""
    variables: Mapping[str, str] = (found or {}).get("Environment", {}).get("Variables", {})
    return variables


def _configuration(deployment: Deployment, name: str) -> Mapping[str, Any] | None:
    functions: LambdaClient = deployment.client("lambda")
    return unless_missing(functions.get_function_configuration, FunctionName=name)


def _environment(name: str, found: Mapping[str, Any] | None, wanted: Mapping[str, str]) -> Iterator[Finding]:
    if found is None:
        return
    variables = environment(found)
    again = f"take back what was changed of the environment of {name} by hand, as infra/mailfold.yaml has it"
    if wrong := [variable for variable, value in wanted.items() if variables.get(variable) != value]:
        words = f"the environment of {name} does not name what the stack made: {', '.join(wrong)}"
        yield fault("environment_differs", words, mending=again)
    try:
        parse_policy((variables.get(POLICY) or "{}").encode())
    except Misuse as error:
        yield fault("environment_without_policy", f"the environment of {name} holds no policy: {error}", mending=again)


def _function(deployment: Deployment, name: str, found: Mapping[str, Any] | None, loses: str) -> Iterator[Finding]:
    functions: LambdaClient = deployment.client("lambda")
    if found is None:
        again = "make it again as infra/mailfold.yaml has it"
        yield fault("function_missing", f"the function {name} is gone, so that {loses}", mending=again)
        return
    yield from _state(deployment, name, found, loses)
    reserved = functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    if reserved == 0:
        yield fault(
            "function_throttled",
            f"the function {name} may not run at all: no concurrency is reserved for it, so that {loses}",
            mending=deployment.aws(f"lambda delete-function-concurrency --function-name {name}"),
        )


def _state(deployment: Deployment, name: str, found: Mapping[str, Any], loses: str) -> Iterator[Finding]:
    again = deployment.mailfold("deploy")
    if found.get("State", "Active") == "Failed":  # Pending and Inactive pass with the next call
        words = f"Lambda cannot run the function {name} ({found.get('StateReasonCode', 'no reason')}), so that {loses}"
        yield fault("function_failed", words, mending=again)
    if found.get("LastUpdateStatus") == "Failed":
        words = (
            f"the last update of the function {name} failed ({found.get('LastUpdateStatusReasonCode', 'no reason')})"
        )
        yield fault("function_not_updated", words, mending=again)
    runtime = found.get("Runtime", "")
    minor = runtime.removeprefix("python3.")
    if not minor.isdecimal() or int(minor) < RUNS_ON:
        words = f"the function {name} runs on {runtime}, and needs python3.{RUNS_ON} or newer, so that {loses}"
        yield fault("function_of_other_runtime", words, mending=again)
