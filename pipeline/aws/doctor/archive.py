"""Checks of the event log: Firehose, the bucket, the Glue table, and Athena's workgroup and views.

docs.aws.amazon.com/firehose/latest/APIReference/API_DeliveryStreamDescription.html,
docs.aws.amazon.com/AmazonS3/latest/userguide/security-best-practices.html,
docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html and
docs.aws.amazon.com/athena/latest/APIReference/API_WorkGroupConfiguration.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from pipeline.aws.archive import schema
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, error, restore, warning
from pipeline.aws.errors import missing_ok

PREFIX = "events/dt=!{timestamp:yyyy-MM-dd}/hr=!{timestamp:HH}/"  # the Glue table's partitions are read from it
ERROR_PREFIX = "errors/"
PUBLIC_ACCESS_BLOCKS = ("BlockPublicAcls", "IgnorePublicAcls", "BlockPublicPolicy", "RestrictPublicBuckets")
NO_WORKGROUP = "InvalidRequestException"  # Athena has no other code for an unknown name


def check_firehose(deployment: Deployment) -> Iterator[Finding]:
    """Check the Firehose stream's state, encryption and destination."""
    name, remedy = deployment.output("DeliveryStream"), restore("DeliveryStream")
    answer = missing_ok(lambda: deployment.clients.firehose.describe_delivery_stream(DeliveryStreamName=name))
    if answer is None:
        yield error("firehose_missing", f"the Firehose stream {name} does not exist: no event is kept", remedy=remedy)
        return
    stream = answer["DeliveryStreamDescription"]
    if stream["DeliveryStreamStatus"] != "ACTIVE":
        reason = stream.get("FailureDescription", {}).get("Type", "no reason given")
        message = f"the Firehose stream {name} is {stream['DeliveryStreamStatus'].lower()} ({reason}): no event is kept"
        yield error("firehose_not_active", message, remedy=remedy)
    if stream.get("DeliveryStreamEncryptionConfiguration", {}).get("Status") not in {"ENABLED", "ENABLING"}:
        yield warning(
            "firehose_not_encrypted",
            f"records that wait in the Firehose stream {name} are not encrypted at rest",
            remedy=deployment.aws_command(
                f"firehose start-delivery-stream-encryption --delivery-stream-name {name} "
                "--delivery-stream-encryption-configuration-input KeyType=AWS_OWNED_CMK"
            ),
        )
    destination = stream["Destinations"][0].get("ExtendedS3DestinationDescription", {})
    yield from _check_s3_destination(deployment, name, destination)
    yield from _check_transformation(deployment, name, destination.get("ProcessingConfiguration", {}))
    yield from _check_conversion(deployment, name, destination.get("DataFormatConversionConfiguration", {}))


def _check_s3_destination(deployment: Deployment, name: str, destination: Mapping[str, Any]) -> Iterator[Finding]:
    remedy = restore("DeliveryStream")
    if destination.get("BucketARN") != deployment.bucket_arn or destination.get("Prefix") != PREFIX:
        message = (
            f"the Firehose stream {name} does not write to {PREFIX} in the log's bucket: no query sees its objects"
        )
        yield error("firehose_wrong_location", message, remedy=remedy)
    if not destination.get("ErrorOutputPrefix", "").startswith(ERROR_PREFIX):
        message = f"the Firehose stream {name} does not keep undeliverable records under {ERROR_PREFIX}"
        yield error("firehose_wrong_error_prefix", message, remedy=remedy)
    if destination.get("RoleARN") != deployment.output("DeliveryRoleArn"):
        message = f"the Firehose stream {name} does not use the stack's role, which can write the log"
        yield error("firehose_wrong_role", message, remedy=remedy)
    if not destination.get("CloudWatchLoggingOptions", {}).get("Enabled"):
        message = f"the Firehose stream {name} does not log its errors: a failed delivery has no visible cause"
        yield warning("firehose_without_error_log", message, remedy=remedy)


def _check_transformation(deployment: Deployment, name: str, processing: Mapping[str, Any]) -> Iterator[Finding]:
    functions = {
        parameter["ParameterValue"].split(":")[6]
        for processor in processing.get("Processors", [])
        for parameter in processor.get("Parameters", [])
        if parameter["ParameterName"] == "LambdaArn"
    }
    if not processing.get("Enabled") or functions != {deployment.output("Transform")}:
        message = f"the Firehose stream {name} does not call the transform: it writes no rows of the log"
        yield error("firehose_not_transforming", message, remedy=restore("DeliveryStream"))


def _check_conversion(deployment: Deployment, name: str, conversion: Mapping[str, Any]) -> Iterator[Finding]:
    source = conversion.get("SchemaConfiguration", {})
    table = (deployment.output("Database"), deployment.output("LogTable"))
    if not conversion.get("Enabled") or (source.get("DatabaseName"), source.get("TableName")) != table:
        message = (
            f"the Firehose stream {name} does not write Parquet with the schema of the Glue table {'.'.join(table)}"
        )
        yield error("firehose_not_converting", message, remedy=restore("DeliveryStream"))
        return
    reader = conversion.get("InputFormatConfiguration", {}).get("Deserializer", {}).get("OpenXJsonSerDe", {})
    # By default Firehose lower-cases all keys, and fails a record with two tags that differ only in case.
    if reader.get("CaseInsensitive", True):
        message = f"the Firehose stream {name} lower-cases the names of tags, and fails some records"
        yield error("firehose_case_insensitive", message, remedy=restore("DeliveryStream"))


def check_public_access(deployment: Deployment) -> Iterator[Finding]:
    """Check that the bucket exists and blocks public access."""
    s3, name = deployment.clients.s3, deployment.output("LogBucket")
    if missing_ok(lambda: s3.get_bucket_versioning(Bucket=name)) is None:
        message = f"the bucket {name} does not exist, so the log is lost"
        yield error("bucket_missing", message, remedy="find in CloudTrail who deleted it; no command restores it")
        return
    answer = missing_ok(lambda: s3.get_public_access_block(Bucket=name))
    blocks = answer["PublicAccessBlockConfiguration"] if answer else {}
    if not all(blocks.get(block) for block in PUBLIC_ACCESS_BLOCKS):
        settings = ",".join(f"{block}=true" for block in PUBLIC_ACCESS_BLOCKS)
        yield error(
            "bucket_public_access",
            f"the bucket {name} does not block public access: a policy could publish the addresses in it",
            remedy=deployment.aws_command(
                f"s3api put-public-access-block --bucket {name} --public-access-block-configuration {settings}"
            ),
        )


def check_tls(deployment: Deployment) -> Iterator[Finding]:
    """Check that the bucket's policy denies requests without TLS. S3 always encrypts at rest."""
    name = deployment.output("LogBucket")
    answer = missing_ok(lambda: deployment.clients.s3.get_bucket_policy(Bucket=name))
    statements = msgspec.json.decode(answer["Policy"])["Statement"] if answer else []
    if not any(map(_requires_tls, statements)):
        message = f"the bucket {name} accepts requests without TLS: addresses could cross the network unencrypted"
        yield warning("bucket_without_tls", message, remedy=restore("LogBucketPolicy"))


def _requires_tls(statement: Mapping[str, Any]) -> bool:
    secure = statement.get("Condition", {}).get("Bool", {}).get("aws:SecureTransport")
    return statement["Effect"] == "Deny" and secure in {"false", False}


def check_versioning(deployment: Deployment) -> Iterator[Finding]:
    """Check that S3 keeps objects that are deleted or replaced by mistake."""
    name = deployment.output("LogBucket")
    answer = missing_ok(lambda: deployment.clients.s3.get_bucket_versioning(Bucket=name))
    if answer is not None and answer.get("Status") != "Enabled":
        yield error(
            "bucket_not_versioned",
            f"versioning of the bucket {name} is off: an object deleted by mistake cannot be restored",
            remedy=deployment.aws_command(
                f"s3api put-bucket-versioning --bucket {name} --versioning-configuration Status=Enabled"
            ),
        )


def check_log_table(deployment: Deployment) -> Iterator[Finding]:
    """Compare the Glue table with schemas/log.json. Firehose silently drops fields that have no column."""
    database, table_name = deployment.output("Database"), deployment.output("LogTable")
    name, remedy = f"{database}.{table_name}", restore("LogTable")
    answer = missing_ok(lambda: deployment.clients.glue.get_table(DatabaseName=database, Name=table_name))
    if answer is None:
        message = f"the Glue table {name} does not exist: Firehose cannot write the log, and no query can read it"
        yield error("log_table_missing", message, remedy=remedy)
        return
    table = answer["Table"]
    storage, parameters = table.get("StorageDescriptor", {}), table.get("Parameters", {})
    yield from _check_columns(name, storage.get("Columns", []))
    if _types(table.get("PartitionKeys", [])) != _types(schema.glue_partitions()):
        message = f"the partition keys of the Glue table {name} are not dt and hr: Athena finds no objects"
        yield error("log_table_wrong_partitions", message, remedy=remedy)
    place = f"s3://{deployment.output('LogBucket')}/events/"
    template = f"{place}dt=${{dt}}/hr=${{hr}}/"
    location = storage.get("Location", "").rstrip("/") + "/"
    if location != place or parameters.get("storage.location.template") != template:
        message = f"the Glue table {name} does not read {place}: queries miss the log"
        yield error("log_table_wrong_location", message, remedy=remedy)
    if parameters.get("projection.enabled") != "true":
        message = f"partition projection of the Glue table {name} is off: queries do not see new hours"
        yield error("log_table_without_projection", message, remedy=remedy)


def check_lake_formation(deployment: Deployment) -> Iterator[Finding]:
    """Check whether Lake Formation controls new tables of the database, without the stack's grant.

    A database without default permissions is no longer controlled by IAM alone.
    docs.aws.amazon.com/lake-formation/latest/dg/change-settings.html
    """
    name = deployment.output("Database")
    answer = missing_ok(lambda: deployment.clients.glue.get_database(Name=name))
    permissions = answer["Database"].get("CreateTableDefaultPermissions") if answer else None
    if permissions == [] and deployment.stack.parameters.get("LakeFormation") != "true":
        message = f"Lake Formation controls tables of the database {name}: Firehose may not read the log's schema"
        remedy = deployment.mailfold_command("deploy --param LakeFormation=true")
        yield error("log_table_without_grant", message, remedy=remedy)


def _check_columns(name: str, columns: list[Any]) -> Iterator[Finding]:
    existing, required = _types(columns), _types(schema.glue_columns())
    if missing := sorted(required.keys() - existing.keys()):
        message = f"the Glue table {name} lacks columns, so Firehose drops these fields: {', '.join(missing)}"
        yield error("log_table_missing_columns", message, remedy=restore("LogTable"))
    if changed := sorted(column for column in required.keys() & existing if required[column] != existing[column]):
        message = f"columns of the Glue table {name} do not have the types of schemas/log.json: {', '.join(changed)}"
        yield error("log_table_wrong_types", message, remedy=restore("LogTable"))
    if unknown := sorted(existing.keys() - required.keys()):
        message = f"the Glue table {name} has columns that this version of Mailfold does not know: {', '.join(unknown)}"
        yield warning("log_table_unknown_columns", message, remedy="update Mailfold here, or remove those columns")


def _types(columns: list[Any]) -> dict[str, str]:
    return {column["Name"]: column["Type"].replace(" ", "").lower() for column in columns}


def check_workgroup(deployment: Deployment) -> Iterator[Finding]:
    """Check that queries can run, keep their results and have a scan limit."""
    name, remedy = deployment.output("Workgroup"), restore("Workgroup")
    answer = missing_ok(lambda: deployment.clients.athena.get_work_group(WorkGroup=name), NO_WORKGROUP)
    if answer is None:
        message = f"the Athena workgroup {name} does not exist: the log cannot be queried"
        yield error("workgroup_missing", message, remedy=remedy)
        return
    workgroup = answer["WorkGroup"]
    configuration = workgroup.get("Configuration", {})
    if workgroup.get("State") != "ENABLED":
        enable = deployment.aws_command(f"athena update-work-group --work-group {name} --state ENABLED")
        message = f"the Athena workgroup {name} is disabled: the log cannot be queried"
        yield error("workgroup_disabled", message, remedy=enable)
    if not (
        configuration.get("ManagedQueryResultsConfiguration", {}).get("Enabled")
        or configuration.get("ResultConfiguration", {}).get("OutputLocation")
    ):
        message = f"the Athena workgroup {name} has no place for query results: queries fail"
        yield error("workgroup_without_results", message, remedy=remedy)
    if not configuration.get("BytesScannedCutoffPerQuery"):
        message = f"the Athena workgroup {name} has no scan limit: one query can read, and cost, any amount"
        yield warning("workgroup_without_limit", message, remedy=remedy)


def check_views(deployment: Deployment) -> Iterator[Finding]:
    """Check that each view of schemas/views exists."""
    database = deployment.output("Database")
    pages = deployment.clients.glue.get_paginator("get_tables").paginate(DatabaseName=database)
    existing = {table["Name"] for page in pages for table in page["TableList"]}
    required = {file.stem for file in schema.schemas_folder().joinpath("views").glob("*.sql")}
    if missing := sorted(required - existing):
        message = f"the database {database} lacks views for common queries: {', '.join(missing)}"
        yield warning("views_missing", message, remedy=deployment.mailfold_command("deploy"))
