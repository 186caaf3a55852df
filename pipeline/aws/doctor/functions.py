"""The mappings by which Lambda calls the projector with what the stream, and the notifications' queue, hold.

docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html

The functions: the transform, which makes rows, and the projector, which folds feedback.

docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, error, warning
from pipeline.aws.settings import BUCKET, POLICY, SERVICE, TABLE, TABLES_PARAMETER
from pipeline.errors import UsageError
from pipeline.policy import parse_policy

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
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
        yield error("environment_differs", words, mending=again)
    try:
        parse_policy((variables.get(POLICY) or "{}").encode())
    except UsageError as invalid:
        yield error(
            "environment_without_policy", f"the environment of {name} holds no policy: {invalid}", mending=again
        )


def _function(deployment: Deployment, name: str, found: Mapping[str, Any] | None, loses: str) -> Iterator[Finding]:
    functions: LambdaClient = deployment.client("lambda")
    if found is None:
        again = "make it again as infra/mailfold.yaml has it"
        yield error("function_missing", f"the function {name} is gone, so that {loses}", mending=again)
        return
    yield from _state(deployment, name, found, loses)
    reserved = functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    if reserved == 0:
        yield error(
            "function_throttled",
            f"the function {name} may not run at all: no concurrency is reserved for it, so that {loses}",
            mending=deployment.aws(f"lambda delete-function-concurrency --function-name {name}"),
        )


def _state(deployment: Deployment, name: str, found: Mapping[str, Any], loses: str) -> Iterator[Finding]:
    again = deployment.mailfold("deploy")
    if found.get("State", "Active") == "Failed":  # Pending and Inactive pass with the next call
        words = f"Lambda cannot run the function {name} ({found.get('StateReasonCode', 'no reason')}), so that {loses}"
        yield error("function_failed", words, mending=again)
    if found.get("LastUpdateStatus") == "Failed":
        words = (
            f"the last update of the function {name} failed ({found.get('LastUpdateStatusReasonCode', 'no reason')})"
        )
        yield error("function_not_updated", words, mending=again)
    runtime = found.get("Runtime", "")
    minor = runtime.removeprefix("python3.")
    if not minor.isdecimal() or int(minor) < RUNS_ON:
        words = f"the function {name} runs on {runtime}, and needs python3.{RUNS_ON} or newer, so that {loses}"
        yield error("function_of_other_runtime", words, mending=again)


REPORTS = "ReportBatchItemFailures"
TRIES = 10_000  # Lambda's largest number, which the template sets
FOR_EVER = -1  # Lambda's way to say that it never gives up
SECONDS_PER_HOUR = 3_600


def check_mapping(deployment: Deployment) -> Iterator[Finding]:
    """Look at the mapping of the stream, if Lambda reads it."""
    if not deployment.read_by_lambda:
        return
    uuid = deployment.output("StreamMapping")
    mapping = _mapping(deployment, uuid)
    if mapping is None:
        words = "the mapping from stream to projector is gone, so that no feedback reaches the table"
        yield error("mapping_missing", words, mending="make it again as infra/mailfold.yaml has it under StreamMapping")
        return
    yield from _mapping_state(deployment, uuid, mapping)
    if mapping.get("EventSourceArn") != deployment.output("FeedbackStreamArn"):
        words = "the mapping reads another stream than the feedback stream"
        yield error("mapping_of_other_stream", words, mending="make it again as infra/mailfold.yaml has it")
    yield from _patience(deployment, uuid, mapping)
    if mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination") != deployment.bucket_arn:
        destination = f'\'{{"OnFailure":{{"Destination":"{deployment.bucket_arn}"}}}}\''
        yield error(
            "mapping_without_destination",
            "what the projector gives up is not kept in the log's bucket, but lost",
            mending=_update(deployment, uuid, f"--destination-config {destination}"),
        )


def check_notification_mapping(deployment: Deployment) -> Iterator[Finding]:
    """Look at the mapping of the notifications' queue, if there is one."""
    uuid = deployment.stack.outputs.get("NotificationMapping")
    if not uuid:
        return
    mapping = _mapping(deployment, uuid)
    if mapping is None:
        words = "the mapping from the notifications' queue to the projector is gone"
        yield error("mapping_missing", words, mending="make it again as infra/mailfold.yaml has it")
    else:
        yield from _mapping_state(deployment, uuid, mapping)


def _mapping(deployment: Deployment, uuid: str) -> Mapping[str, Any] | None:
    functions: LambdaClient = deployment.client("lambda")
    return unless_missing(functions.get_event_source_mapping, UUID=uuid)


def _mapping_state(deployment: Deployment, uuid: str, mapping: Mapping[str, Any]) -> Iterator[Finding]:
    state, result = mapping["State"], mapping.get("LastProcessingResult", "")
    if state in {"Disabled", "Disabling", "Deleting"}:
        words = f"the mapping {uuid} is {state.lower()}: the projector is not called"
        yield error("mapping_disabled", words, mending=_update(deployment, uuid, "--enabled"))
    if result.startswith("PROBLEM"):
        yield error(
            "mapping_in_trouble",
            f"Lambda's last try to call the projector failed: {result.removeprefix('PROBLEM:').strip()}",
            mending=f"read the log group {deployment.output('ProjectorLogs')}, and what is said of its role",
        )
    if mapping.get("FunctionArn", "").split(":")[6:7] != [deployment.output("Projector")]:
        words = f"the mapping {uuid} calls another function than the projector"
        back = _update(deployment, uuid, f"--function-name {deployment.output('Projector')}")
        yield error("mapping_of_other_function", words, mending=back)
    if REPORTS not in mapping.get("FunctionResponseTypes", []):
        yield error(
            "mapping_deaf",
            f"Lambda does not heed which record the projector could not finish ({REPORTS}): an outage loses feedback",
            mending=_update(deployment, uuid, f"--function-response-types {REPORTS}"),
        )
    if mapping.get("FilterCriteria", {}).get("Filters"):
        yield error(
            "mapping_filters",
            f"the mapping {uuid} has a filter, which drops what it does not match in silence",
            mending=_update(deployment, uuid, "--filter-criteria '{}'"),
        )


def _patience(deployment: Deployment, uuid: str, mapping: Mapping[str, Any]) -> Iterator[Finding]:
    kinesis: KinesisClient = deployment.client("kinesis")
    stream = unless_missing(kinesis.describe_stream_summary, StreamName=deployment.output("FeedbackStream"))
    age_seconds, tries = (
        mapping.get("MaximumRecordAgeInSeconds", FOR_EVER),
        mapping.get("MaximumRetryAttempts", FOR_EVER),
    )
    kept_hours = stream["StreamDescriptionSummary"]["RetentionPeriodHours"] if stream else 0
    if stream and not 0 <= age_seconds < kept_hours * SECONDS_PER_HOUR:
        shorter = max(1, kept_hours * SECONDS_PER_HOUR * 6 // 7)
        yield error(
            "mapping_outlasts_stream",
            "a record is tried for longer than the stream keeps it, and is then lost in silence",
            mending=_update(deployment, uuid, f"--maximum-record-age-in-seconds {min(shorter, 604_800)}"),
        )
    if 0 <= tries < TRIES:
        yield warning(
            "mapping_gives_up",
            f"a record is given up after {tries:,} tries, which a short outage uses up",
            mending=_update(deployment, uuid, f"--maximum-retry-attempts {TRIES}"),
        )
    if not mapping.get("BisectBatchOnFunctionError"):
        yield warning(
            "mapping_not_bisecting",
            "a record that crashes the projector takes its whole batch along",
            mending=_update(deployment, uuid, "--bisect-batch-on-function-error"),
        )


def _update(deployment: Deployment, uuid: str, change: str) -> str:
    return deployment.aws(f"lambda update-event-source-mapping --uuid {uuid} {change}")
