"""Checks of the Lambda functions, and of the mappings by which Lambda calls the projector.

docs.aws.amazon.com/lambda/latest/api/API_GetFunctionConfiguration.html and
docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, error, restore, warning
from pipeline.aws.errors import missing_ok
from pipeline.aws.settings import BUCKET, POLICY, SERVICE, TABLE, TABLES_PARAMETER
from pipeline.errors import UsageError
from pipeline.policy import parse_policy

OLDEST_PYTHON_MINOR = 11  # `requires-python` in pyproject.toml
PARTIAL_FAILURES = "ReportBatchItemFailures"
EVENT_COUNTS = "EventCount"  # the metrics that the alarms on an unread stream and on discarded batches watch
UNLIMITED = -1  # Lambda's value for retries and ages without a limit
SECONDS_PER_HOUR = 3_600
LONGEST_RECORD_AGE_SECONDS = 604_800  # Lambda's limit, seven days


def check_transform(deployment: Deployment) -> Iterator[Finding]:
    """Check the transform, which turns records into rows of the log."""
    variables = {SERVICE: f"{deployment.stack.name}-transform"}
    yield from _check_function(deployment, "Transform", variables, "records do not become rows of the log")


def check_projector(deployment: Deployment) -> Iterator[Finding]:
    """Check the projector, which folds feedback into the suppression table."""
    variables = {
        TABLE: deployment.output("SuppressionTable"),
        BUCKET: deployment.output("LogBucket"),
        TABLES_PARAMETER: deployment.output("TablesParameter"),
        SERVICE: f"{deployment.stack.name}-projector",
    }
    yield from _check_function(deployment, "Projector", variables, "no feedback reaches the table")


def function_configuration(deployment: Deployment, name: str) -> Mapping[str, Any] | None:
    """Return a function's configuration, or None if the function does not exist."""
    return missing_ok(lambda: deployment.clients.lambda_.get_function_configuration(FunctionName=name))


def environment_variables(configuration: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the environment variables of a function's configuration."""
    variables: Mapping[str, str] = configuration.get("Environment", {}).get("Variables", {})
    return variables


def _check_function(
    deployment: Deployment, logical_id: str, variables: Mapping[str, str], impact: str
) -> Iterator[Finding]:
    name = deployment.output(logical_id)
    configuration = function_configuration(deployment, name)
    if configuration is None:
        yield error("function_missing", f"the function {name} does not exist: {impact}", remedy=restore(logical_id))
        return
    yield from _check_state(deployment, name, configuration, impact)
    concurrency = deployment.clients.lambda_.get_function_concurrency(FunctionName=name)
    if concurrency.get("ReservedConcurrentExecutions") == 0:
        yield error(
            "function_throttled",
            f"the reserved concurrency of the function {name} is 0, so it cannot run: {impact}",
            remedy=deployment.aws_command(f"lambda delete-function-concurrency --function-name {name}"),
        )
    yield from _check_environment(name, configuration, variables, remedy=restore(f"{logical_id} (Environment)"))


def _check_state(deployment: Deployment, name: str, configuration: Mapping[str, Any], impact: str) -> Iterator[Finding]:
    remedy = deployment.mailfold_command("deploy")
    if configuration.get("State", "Active") == "Failed":  # Pending and Inactive end with the next call
        reason = configuration.get("StateReasonCode", "no reason given")
        yield error("function_failed", f"Lambda cannot run the function {name} ({reason}): {impact}", remedy=remedy)
    if configuration.get("LastUpdateStatus") == "Failed":
        reason = configuration.get("LastUpdateStatusReasonCode", "no reason given")
        message = f"the last update of the function {name} failed ({reason}): the previous version still runs"
        yield error("function_update_failed", message, remedy=remedy)
    runtime = configuration.get("Runtime", "")
    minor = runtime.removeprefix("python3.")
    if not minor.isdecimal() or int(minor) < OLDEST_PYTHON_MINOR:
        required = f"python3.{OLDEST_PYTHON_MINOR}"
        message = f"the function {name} runs on {runtime}, but needs {required} or newer: {impact}"
        yield error("function_wrong_runtime", message, remedy=remedy)


def _check_environment(
    name: str, configuration: Mapping[str, Any], required: Mapping[str, str], *, remedy: str
) -> Iterator[Finding]:
    variables = environment_variables(configuration)
    if different := [variable for variable, value in required.items() if variables.get(variable) != value]:
        message = f"environment variables of {name} do not name the stack's resources: {', '.join(different)}"
        yield error("environment_wrong", message, remedy=remedy)
    try:
        parse_policy((variables.get(POLICY) or "{}").encode())
    except UsageError as invalid:
        message = f"the environment variable {POLICY} of {name} is {invalid}: every batch fails"
        yield error("environment_invalid_policy", message, remedy=remedy)


def check_stream_mapping(deployment: Deployment) -> Iterator[Finding]:
    """Check the mapping from the stream to the projector, if Lambda reads the stream."""
    if not deployment.read_by_lambda:
        return
    uuid, remedy = deployment.output("StreamMapping"), restore("StreamMapping")
    mapping = _event_source_mapping(deployment, uuid)
    if mapping is None:
        message = "the mapping from the stream to the projector does not exist: no feedback reaches the table"
        yield error("mapping_missing", message, remedy=remedy)
        return
    yield from _check_mapping(deployment, uuid, mapping)
    yield from _check_retries(deployment, uuid, mapping)
    if EVENT_COUNTS not in mapping.get("MetricsConfig", {}).get("Metrics", []):
        metrics = f'\'{{"Metrics":["{EVENT_COUNTS}"]}}\''
        message = "the mapping publishes no metrics: no alarm reports that Lambda does not read the stream"
        remedy_command = _update_mapping(deployment, uuid, f"--metrics-config {metrics}")
        yield warning("mapping_without_metrics", message, remedy=remedy_command)
    if mapping.get("EventSourceArn") != deployment.output("FeedbackStreamArn"):
        message = "the mapping does not read the feedback stream: no feedback reaches the table"
        yield error("mapping_wrong_stream", message, remedy=remedy)
    if mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination") != deployment.bucket_arn:
        destination = f'\'{{"OnFailure":{{"Destination":"{deployment.bucket_arn}"}}}}\''
        yield error(
            "mapping_without_destination",
            "batches that Lambda discards are not kept in the log's bucket, but lost",
            remedy=_update_mapping(deployment, uuid, f"--destination-config {destination}"),
        )


def check_concurrency(deployment: Deployment) -> Iterator[Finding]:
    """Check that concurrent calls of the projector leave some of the account's for the transform.

    New accounts have ten. docs.aws.amazon.com/lambda/latest/api/API_GetAccountSettings.html
    """
    if not deployment.read_by_lambda:
        return
    name = deployment.output("FeedbackStream")
    stream = missing_ok(lambda: deployment.clients.kinesis.describe_stream_summary(StreamName=name))
    mapping = _event_source_mapping(deployment, deployment.output("StreamMapping"))
    if stream is None or mapping is None:
        return
    shards = stream["StreamDescriptionSummary"]["OpenShardCount"]
    calls = shards * mapping.get("ParallelizationFactor", 1)
    limit = deployment.clients.lambda_.get_account_settings()["AccountLimit"]["ConcurrentExecutions"]
    if calls >= limit:
        fewer = max(1, limit * 4 // 10 // shards)
        yield warning(
            "mapping_uses_all_calls",
            f"the projector may use all {limit:,} concurrent calls of the account: Lambda throttles the transform, "
            "and Firehose writes batches below errors/ instead of the log",
            remedy=deployment.mailfold_command(f"deploy --param ParallelizationFactor={fewer}"),
        )


def check_notification_mapping(deployment: Deployment) -> Iterator[Finding]:
    """Check the mapping from the notification queue to the projector, if there is one."""
    uuid = deployment.stack.outputs.get("NotificationMapping")
    if not uuid:
        return
    mapping = _event_source_mapping(deployment, uuid)
    if mapping is None:
        message = "the mapping from the notification queue to the projector does not exist: notifications wait"
        yield error("mapping_missing", message, remedy=restore("NotificationMapping"))
    else:
        yield from _check_mapping(deployment, uuid, mapping)


def _event_source_mapping(deployment: Deployment, uuid: str) -> Mapping[str, Any] | None:
    return missing_ok(lambda: deployment.clients.lambda_.get_event_source_mapping(UUID=uuid))


def _check_mapping(deployment: Deployment, uuid: str, mapping: Mapping[str, Any]) -> Iterator[Finding]:
    """Check what both mappings have in common."""
    state, last_result = mapping["State"], mapping.get("LastProcessingResult", "")
    if state in {"Disabled", "Disabling", "Deleting"}:
        message = f"the mapping {uuid} is {state.lower()}: Lambda does not call the projector"
        yield error("mapping_disabled", message, remedy=_update_mapping(deployment, uuid, "--enabled"))
    if last_result.startswith("PROBLEM"):
        reason = last_result.removeprefix("PROBLEM:").strip()
        remedy = f"read the log group {deployment.output('ProjectorLogs')}, and the finding about the projector's role"
        yield error("mapping_failing", f"Lambda's last call of the projector failed: {reason}", remedy=remedy)
    projector = deployment.output("Projector")
    if mapping.get("FunctionArn", "").split(":")[6:7] != [projector]:
        message = f"the mapping {uuid} calls another function than the projector: no feedback reaches the table"
        remedy = _update_mapping(deployment, uuid, f"--function-name {projector}")
        yield error("mapping_wrong_function", message, remedy=remedy)
    if PARTIAL_FAILURES not in mapping.get("FunctionResponseTypes", []):
        message = f"Lambda ignores which record of a batch failed ({PARTIAL_FAILURES} is off): an outage loses feedback"
        remedy = _update_mapping(deployment, uuid, f"--function-response-types {PARTIAL_FAILURES}")
        yield error("mapping_ignores_partial_failures", message, remedy=remedy)
    if mapping.get("FilterCriteria", {}).get("Filters"):
        message = f"the mapping {uuid} has a filter: Lambda silently drops records that do not match it"
        remedy = _update_mapping(deployment, uuid, "--filter-criteria '{}'")
        yield error("mapping_filtered", message, remedy=remedy)


def _check_retries(deployment: Deployment, uuid: str, mapping: Mapping[str, Any]) -> Iterator[Finding]:
    name = deployment.output("FeedbackStream")
    stream = missing_ok(lambda: deployment.clients.kinesis.describe_stream_summary(StreamName=name))
    kept_seconds = SECONDS_PER_HOUR * stream["StreamDescriptionSummary"]["RetentionPeriodHours"] if stream else 0
    age_seconds = mapping.get("MaximumRecordAgeInSeconds", UNLIMITED)
    if stream and not 0 <= age_seconds < kept_seconds:
        shorter_seconds = min(max(1, kept_seconds * 6 // 7), LONGEST_RECORD_AGE_SECONDS)
        yield error(
            "mapping_record_age_too_long",
            "Lambda retries a record for longer than the stream keeps it: the record is silently lost",
            remedy=_update_mapping(deployment, uuid, f"--maximum-record-age-in-seconds {shorter_seconds}"),
        )
    attempts = mapping.get("MaximumRetryAttempts", UNLIMITED)
    if attempts != UNLIMITED:
        yield warning(
            "mapping_retries_too_few",
            f"Lambda discards a record after {attempts:,} retries, which an outage uses up: let its age limit them",
            remedy=_update_mapping(deployment, uuid, f"--maximum-retry-attempts {UNLIMITED}"),
        )
    if not mapping.get("BisectBatchOnFunctionError"):
        yield warning(
            "mapping_not_bisecting",
            "Lambda does not bisect a batch that fails: one record that crashes the projector discards the whole batch",
            remedy=_update_mapping(deployment, uuid, "--bisect-batch-on-function-error"),
        )


def _update_mapping(deployment: Deployment, uuid: str, change: str) -> str:
    return deployment.aws_command(f"lambda update-event-source-mapping --uuid {uuid} {change}")
