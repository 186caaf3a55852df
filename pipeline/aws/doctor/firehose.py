"""The Firehose stream: whether records become rows, in Parquet, where the log is.

docs.aws.amazon.com/firehose/latest/APIReference/API_DeliveryStreamDescription.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, fault, warning

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient

PREFIX = "events/dt=!{timestamp:yyyy-MM-dd}/hr=!{timestamp:HH}/"  # what the Glue table's partitions are read from
ERRORS = "errors/"
RESTORE = "take back what was changed of it by hand, as infra/mailfold.yaml has it under DeliveryStream"


def check_firehose(deployment: Deployment) -> Iterator[Finding]:
    """Look at the stream's state, and at where and how it delivers."""
    firehose: FirehoseClient = deployment.client("firehose")
    name = deployment.output("DeliveryStream")
    answer = unless_missing(firehose.describe_delivery_stream, DeliveryStreamName=name)
    if answer is None:
        yield fault("firehose_missing", f"the Firehose stream {name} is gone: nothing is kept", mending=RESTORE)
        return
    stream = answer["DeliveryStreamDescription"]
    if stream["DeliveryStreamStatus"] != "ACTIVE":
        why = stream.get("FailureDescription", {}).get("Type", "no reason given")
        words = f"the Firehose stream {name} is {stream['DeliveryStreamStatus'].lower()} ({why}): nothing is kept"
        yield fault("firehose_not_active", words, mending=RESTORE)
    if stream.get("DeliveryStreamEncryptionConfiguration", {}).get("Status") not in {"ENABLED", "ENABLING"}:
        yield warning(
            "firehose_not_encrypted",
            f"what waits in the Firehose stream {name} is not encrypted at rest",
            mending=deployment.aws(
                f"firehose start-delivery-stream-encryption --delivery-stream-name {name} "
                "--delivery-stream-encryption-configuration-input KeyType=AWS_OWNED_CMK"
            ),
        )
    destination = stream["Destinations"][0].get("ExtendedS3DestinationDescription", {})
    yield from _place(deployment, name, destination)
    yield from _transformed(deployment, name, destination.get("ProcessingConfiguration", {}))
    yield from _converted(deployment, name, destination.get("DataFormatConversionConfiguration", {}))


def _place(deployment: Deployment, name: str, destination: Mapping[str, Any]) -> Iterator[Finding]:
    if destination.get("BucketARN") != deployment.bucket_arn or destination.get("Prefix") != PREFIX:
        words = f"the Firehose stream {name} writes elsewhere than where the log is read: {PREFIX} in its bucket"
        yield fault("firehose_writes_elsewhere", words, mending=RESTORE)
    if not destination.get("ErrorOutputPrefix", "").startswith(ERRORS):
        words = f"the Firehose stream {name} keeps what it cannot deliver elsewhere than under {ERRORS}"
        yield fault("firehose_errors_elsewhere", words, mending=RESTORE)
    if destination.get("RoleARN") != deployment.output("DeliveryRoleArn"):
        words = f"the Firehose stream {name} uses another role than the one that may write the log"
        yield fault("firehose_of_other_role", words, mending=RESTORE)
    if not destination.get("CloudWatchLoggingOptions", {}).get("Enabled"):
        words = f"the Firehose stream {name} does not say what went wrong: its error log is off"
        yield warning("firehose_silent", words, mending=RESTORE)


def _transformed(deployment: Deployment, name: str, processing: Mapping[str, Any]) -> Iterator[Finding]:
    functions = {
        parameter["ParameterValue"].split(":")[6]
        for processor in processing.get("Processors", [])
        for parameter in processor.get("Parameters", [])
        if parameter["ParameterName"] == "LambdaArn"
    }
    if not processing.get("Enabled") or functions != {deployment.output("Transform")}:
        words = f"the Firehose stream {name} does not call the transform: what it writes are no rows"
        yield fault("firehose_not_transforming", words, mending=RESTORE)


def _converted(deployment: Deployment, name: str, conversion: Mapping[str, Any]) -> Iterator[Finding]:
    schema = conversion.get("SchemaConfiguration", {})
    table = (deployment.output("Database"), deployment.output("LogTable"))
    if not conversion.get("Enabled") or (schema.get("DatabaseName"), schema.get("TableName")) != table:
        words = f"the Firehose stream {name} does not write Parquet by the Glue table {'.'.join(table)}"
        yield fault("firehose_not_converting", words, mending=RESTORE)
        return
    reader = conversion.get("InputFormatConfiguration", {}).get("Deserializer", {}).get("OpenXJsonSerDe", {})
    # Firehose's default is to take all keys in lower case, and two tags that differ in case alone for an error.
    if reader.get("CaseInsensitive", True):
        words = f"the Firehose stream {name} changes the names of tags to lower case, and fails some records"
        yield fault("firehose_ignores_case", words, mending=RESTORE)
