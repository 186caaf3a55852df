"""What the log is asked by: the Athena workgroup, and the views.

docs.aws.amazon.com/athena/latest/APIReference/API_WorkGroupConfiguration.html

The Firehose stream: whether records become rows, in Parquet, where the log is.

docs.aws.amazon.com/firehose/latest/APIReference/API_DeliveryStreamDescription.html

The log's bucket: nobody outside sees it, it is encrypted, and what is replaced can be brought back.

docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html

The Glue table: what is no column of it, Firehose drops in silence.

docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html and
docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.archive import schema
from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, error, warning

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_firehose import FirehoseClient
    from mypy_boto3_glue import GlueClient
    from mypy_boto3_s3 import S3Client

PREFIX = "events/dt=!{timestamp:yyyy-MM-dd}/hr=!{timestamp:HH}/"  # what the Glue table's partitions are read from
ERRORS = "errors/"
RESTORE = "take back what was changed of it by hand, as infra/mailfold.yaml has it under DeliveryStream"


def check_firehose(deployment: Deployment) -> Iterator[Finding]:
    """Look at the stream's state, and at where and how it delivers."""
    firehose: FirehoseClient = deployment.client("firehose")
    name = deployment.output("DeliveryStream")
    answer = unless_missing(firehose.describe_delivery_stream, DeliveryStreamName=name)
    if answer is None:
        yield error("firehose_missing", f"the Firehose stream {name} is gone: nothing is kept", mending=RESTORE)
        return
    stream = answer["DeliveryStreamDescription"]
    if stream["DeliveryStreamStatus"] != "ACTIVE":
        why = stream.get("FailureDescription", {}).get("Type", "no reason given")
        words = f"the Firehose stream {name} is {stream['DeliveryStreamStatus'].lower()} ({why}): nothing is kept"
        yield error("firehose_not_active", words, mending=RESTORE)
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
        yield error("firehose_writes_elsewhere", words, mending=RESTORE)
    if not destination.get("ErrorOutputPrefix", "").startswith(ERRORS):
        words = f"the Firehose stream {name} keeps what it cannot deliver elsewhere than under {ERRORS}"
        yield error("firehose_errors_elsewhere", words, mending=RESTORE)
    if destination.get("RoleARN") != deployment.output("DeliveryRoleArn"):
        words = f"the Firehose stream {name} uses another role than the one that may write the log"
        yield error("firehose_of_other_role", words, mending=RESTORE)
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
        yield error("firehose_not_transforming", words, mending=RESTORE)


def _converted(deployment: Deployment, name: str, conversion: Mapping[str, Any]) -> Iterator[Finding]:
    schema = conversion.get("SchemaConfiguration", {})
    table = (deployment.output("Database"), deployment.output("LogTable"))
    if not conversion.get("Enabled") or (schema.get("DatabaseName"), schema.get("TableName")) != table:
        words = f"the Firehose stream {name} does not write Parquet by the Glue table {'.'.join(table)}"
        yield error("firehose_not_converting", words, mending=RESTORE)
        return
    reader = conversion.get("InputFormatConfiguration", {}).get("Deserializer", {}).get("OpenXJsonSerDe", {})
    # Firehose's default is to take all keys in lower case, and two tags that differ in case alone for an error.
    if reader.get("CaseInsensitive", True):
        words = f"the Firehose stream {name} changes the names of tags to lower case, and fails some records"
        yield error("firehose_ignores_case", words, mending=RESTORE)


BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")


def check_public_access(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether the bucket is there, and closed to the public."""
    s3: S3Client = deployment.client("s3")
    name = deployment.output("LogBucket")
    if unless_missing(s3.get_bucket_versioning, Bucket=name) is None:
        words = f"the bucket {name} is gone, and the log with it"
        yield error("bucket_missing", words, mending="see in CloudTrail who deleted it; no command brings it back")
        return
    answer = unless_missing(s3.get_public_access_block, Bucket=name) or {}
    blocked = answer.get("PublicAccessBlockConfiguration", {})
    if not all(blocked.get(block) for block in BLOCKS):
        settings = ",".join(f"{block}=true" for block in BLOCKS)
        yield error(
            "bucket_open",
            f"the bucket {name}, which holds addresses, could be opened to the public",
            mending=deployment.aws(
                f"s3api put-public-access-block --bucket {name} --public-access-block-configuration {settings}"
            ),
        )


def check_tls(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether the bucket may be read without TLS. At rest S3 encrypts everything by itself."""
    s3: S3Client = deployment.client("s3")
    name = deployment.output("LogBucket")
    policy = unless_missing(s3.get_bucket_policy, Bucket=name)
    if policy is None or not any(_asks_for_tls(one) for one in msgspec.json.decode(policy["Policy"])["Statement"]):
        yield warning(
            "bucket_without_tls",
            f"the bucket {name} may be read without TLS",
            mending="put its policy back, as infra/mailfold.yaml has it under LogBucketPolicy",
        )


def check_versioning(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether what is deleted or replaced by mistake can be brought back."""
    s3: S3Client = deployment.client("s3")
    name = deployment.output("LogBucket")
    answer = unless_missing(s3.get_bucket_versioning, Bucket=name)
    if answer is not None and answer.get("Status") != "Enabled":
        yield error(
            "bucket_not_versioned",
            f"an object of the log that is deleted by mistake is gone: versioning of the bucket {name} is off",
            mending=deployment.aws(
                f"s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled"
            ),
        )


def _asks_for_tls(statement: Mapping[str, Any]) -> bool:
    return statement["Effect"] == "Deny" and statement.get("Condition", {}).get("Bool", {}).get(
        "aws:SecureTransport"
    ) in {"false", False}


def check_log_table(deployment: Deployment) -> Iterator[Finding]:
    """Compare the Glue table with schemas/log.json."""
    glue: GlueClient = deployment.client("glue")
    database, name = deployment.output("Database"), deployment.output("LogTable")
    answer = unless_missing(glue.get_table, DatabaseName=database, Name=name)
    again = f"make it again as infra/mailfold.yaml has it under LogTable, then {deployment.mailfold('doctor')}"
    if answer is None:
        words = f"the Glue table {database}.{name} is gone: Firehose cannot write the log, and nobody can ask it"
        yield error("log_table_missing", words, mending=again)
        return
    table = answer["Table"]
    storage = table.get("StorageDescriptor", {})
    yield from _columns(f"{database}.{name}", storage.get("Columns", []), again)
    if _types(table.get("PartitionKeys", [])) != _types(schema.glue_partitions()):
        words = f"the partitions of the Glue table {database}.{name} are not dt and hr"
        yield error("log_table_of_other_partitions", words, mending=again)
    place = f"s3://{deployment.output('LogBucket')}/events/"
    parameters = table.get("Parameters", {})
    template = f"{place}dt=${{dt}}/hr=${{hr}}/"
    location = storage.get("Location", "").rstrip("/") + "/"
    if location != place or parameters.get("storage.location.template") != template:
        yield error("log_table_elsewhere", f"the Glue table {database}.{name} does not read {place}", mending=again)
    if parameters.get("projection.enabled") != "true":
        words = f"the Glue table {database}.{name} finds no new hours: its partition projection is off"
        yield error("log_table_without_projection", words, mending=again)


def _columns(name: str, columns: list[Mapping[str, Any]], again: str) -> Iterator[Finding]:
    have, want = _types(columns), _types(schema.glue_columns())
    if missing := sorted(want.keys() - have.keys()):
        words = f"the Glue table {name} lacks columns, which Firehose therefore drops: {', '.join(missing)}"
        yield error("log_table_lacks_columns", words, mending=again)
    if other := sorted(column for column in want.keys() & have.keys() if want[column] != have[column]):
        words = f"columns of the Glue table {name} have other types than schemas/log.json says: {', '.join(other)}"
        yield error("log_table_of_other_types", words, mending=again)
    if more := sorted(have.keys() - want.keys()):
        words = f"the Glue table {name} has columns that this version of Mailfold does not know: {', '.join(more)}"
        yield warning("log_table_newer", words, mending="update Mailfold here, or take those columns out")


def _types(columns: list[Any]) -> dict[str, str]:
    return {column["Name"]: column["Type"].replace(" ", "").lower() for column in columns}


NO_WORKGROUP = frozenset({"InvalidRequestException"})  # Athena has no other code for a name that nothing has


def check_workgroup(deployment: Deployment) -> Iterator[Finding]:
    """Look at whether queries may run, how much they may read, and where answers go."""
    athena: AthenaClient = deployment.client("athena")
    name = deployment.output("Workgroup")
    answer = unless_missing(athena.get_work_group, missing=NO_WORKGROUP, WorkGroup=name)
    if answer is None:
        yield error("workgroup_missing", f"the Athena workgroup {name} is gone", mending=_restore())
        return
    workgroup = answer["WorkGroup"]
    configuration = workgroup.get("Configuration", {})
    if workgroup.get("State") != "ENABLED":
        mending = deployment.aws(f"athena update-work-group --work-group {name} --state ENABLED")
        yield error("workgroup_disabled", f"the Athena workgroup {name} is disabled", mending=mending)
    if not (
        configuration.get("ManagedQueryResultsConfiguration", {}).get("Enabled")
        or configuration.get("ResultConfiguration", {}).get("OutputLocation")
    ):
        yield error("workgroup_without_results", f"answers of {name} have nowhere to go", mending=_restore())
    if not configuration.get("BytesScannedCutoffPerQuery"):
        words = f"a query in {name} may read, and cost, without limit"
        yield warning("workgroup_without_limit", words, mending=_restore())


def check_views(deployment: Deployment) -> Iterator[Finding]:
    """Look for each view of schemas/views."""
    glue: GlueClient = deployment.client("glue")
    database = deployment.output("Database")
    pages = glue.get_paginator("get_tables").paginate(DatabaseName=database)
    there = {table["Name"] for page in pages for table in page["TableList"]}
    wanted = {file.stem for file in schema.schemas_folder().joinpath("views").glob("*.sql")}
    if missing := sorted(wanted - there):
        words = f"the database {database} lacks views for common questions: {', '.join(missing)}"
        yield warning("views_missing", words, mending=deployment.mailfold("deploy"))


def _restore() -> str:
    return "put it back as infra/mailfold.yaml has it under Workgroup"
