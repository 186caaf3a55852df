"""The mappings by which Lambda calls the projector with what the stream, and the notifications' queue, hold.

docs.aws.amazon.com/lambda/latest/api/API_EventSourceMappingConfiguration.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, fault, warning

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient
    from mypy_boto3_lambda import LambdaClient

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
        yield fault("mapping_missing", words, mending="make it again as infra/mailfold.yaml has it under StreamMapping")
        return
    yield from _state(deployment, uuid, mapping)
    if mapping.get("EventSourceArn") != deployment.output("FeedbackStreamArn"):
        words = "the mapping reads another stream than the feedback stream"
        yield fault("mapping_of_other_stream", words, mending="make it again as infra/mailfold.yaml has it")
    yield from _patience(deployment, uuid, mapping)
    if mapping.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination") != deployment.bucket_arn:
        destination = f'\'{{"OnFailure":{{"Destination":"{deployment.bucket_arn}"}}}}\''
        yield fault(
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
        yield fault("mapping_missing", words, mending="make it again as infra/mailfold.yaml has it")
    else:
        yield from _state(deployment, uuid, mapping)


def _mapping(deployment: Deployment, uuid: str) -> Mapping[str, Any] | None:
    functions: LambdaClient = deployment.client("lambda")
    return unless_missing(functions.get_event_source_mapping, UUID=uuid)


def _state(deployment: Deployment, uuid: str, mapping: Mapping[str, Any]) -> Iterator[Finding]:
    state, result = mapping["State"], mapping.get("LastProcessingResult", "")
    if state in {"Disabled", "Disabling", "Deleting"}:
        words = f"the mapping {uuid} is {state.lower()}: the projector is not called"
        yield fault("mapping_disabled", words, mending=_update(deployment, uuid, "--enabled"))
    if result.startswith("PROBLEM"):
        yield fault(
            "mapping_in_trouble",
            f"Lambda's last try to call the projector failed: {result.removeprefix('PROBLEM:').strip()}",
            mending=f"read the log group {deployment.output('ProjectorLogs')}, and what is said of its role",
        )
    if mapping.get("FunctionArn", "").split(":")[6:7] != [deployment.output("Projector")]:
        words = f"the mapping {uuid} calls another function than the projector"
        back = _update(deployment, uuid, f"--function-name {deployment.output('Projector')}")
        yield fault("mapping_of_other_function", words, mending=back)
    if REPORTS not in mapping.get("FunctionResponseTypes", []):
        yield fault(
            "mapping_deaf",
            f"Lambda does not heed which record the projector could not finish ({REPORTS}): an outage loses feedback",
            mending=_update(deployment, uuid, f"--function-response-types {REPORTS}"),
        )
    if mapping.get("FilterCriteria", {}).get("Filters"):
        yield fault(
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
        yield fault(
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
