"""The log: bucket, Firehose stream, Glue table and Athena workgroup."""

import re
from datetime import timedelta
from inspect import signature
from typing import Any

import pytest

from pipeline.aws.archive import schema
from pipeline.aws.archive.s3 import LATEST_AFTER_HOUR, S3Archive
from pipeline.aws.lambdas.transform import RESPONSE_BYTES
from pipeline.local.resources import Names, log_table
from tests.support.cloudformation import ACCOUNT, REGION, defaults, stack, template

# Athena skips objects in S3 Glacier Flexible Retrieval and Deep Archive.
# docs.aws.amazon.com/athena/latest/ug/querying-glacier.html
READABLE = {"STANDARD", "STANDARD_IA", "INTELLIGENT_TIERING", "GLACIER_IR"}
LONGEST_COMMENT = 255  # docs.aws.amazon.com/glue/latest/webapi/API_Column.html
MIB = 1 << 20


def bucket(**parameters: str) -> Any:
    """Return the properties of the bucket."""
    return stack(**parameters).properties("LogBucket")


def lifecycle(**parameters: str) -> dict[str, Any]:
    """Return the lifecycle rules of the bucket by ID."""
    return {rule["Id"]: rule for rule in bucket(**parameters)["LifecycleConfiguration"]["Rules"]}


def firehose(**parameters: str) -> Any:
    """Return Firehose's destination."""
    return stack(**parameters).properties("DeliveryStream")["ExtendedS3DestinationConfiguration"]


def processor() -> dict[str, str]:
    """Return the parameters of Firehose's processor."""
    (only,) = firehose()["ProcessingConfiguration"]["Processors"]
    return {parameter["ParameterName"]: parameter["ParameterValue"] for parameter in only["Parameters"]}


def glue_table(**parameters: str) -> Any:
    """Return the input of the Glue table."""
    return stack(**parameters).properties("LogTable")["TableInput"]


def test_the_bucket_is_encrypted_and_versioned() -> None:
    """The bucket owner also owns all objects."""
    (rule,) = bucket()["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert bucket()["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket()["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_the_bucket_blocks_public_access() -> None:
    """All four settings of the public access block are on."""
    block = bucket()["PublicAccessBlockConfiguration"]
    assert block == dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )


def test_the_bucket_requires_tls() -> None:
    """The bucket policy denies every request without TLS."""
    (statement,) = stack().properties("LogBucketPolicy")["PolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["{LogBucket.Arn}", "{LogBucket.Arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_the_log_does_not_expire_by_default() -> None:
    """Only the parameter adds an expiration."""
    assert "ExpirationInDays" not in lifecycle()["log"]
    assert lifecycle(LogExpirationDays="4000")["log"]["ExpirationInDays"] == "4000"


@pytest.mark.parametrize("storage_class", template()["Parameters"]["LogStorageClass"]["AllowedValues"])
def test_the_log_moves_only_to_classes_that_athena_reads(storage_class: str) -> None:
    """Athena skips objects in S3 Glacier Flexible Retrieval and Deep Archive."""
    rule = lifecycle(LogStorageClass=storage_class).get("log", {})
    storage_classes = [transition["StorageClass"] for transition in rule.get("Transitions", [])]

    assert storage_classes == [name for name in [storage_class] if name != "STANDARD"]
    assert storage_class in READABLE


def test_events_and_their_backup_move_and_expire_together() -> None:
    """The backup holds the same personal data. Quarantine and errors stay in their storage class."""
    rules = lifecycle(LogExpirationDays="400", FailureExpirationDays="90")
    assert rules["source"] == rules["log"] | {"Id": "source", "Prefix": "source/"}
    assert rules["log"]["Prefix"] == "events/"
    assert rules["log"]["ExpirationInDays"] == "400"
    assert [name for name, rule in rules.items() if "Transitions" in rule] == ["log", "source"]


def test_failed_records_expire_if_an_operator_wants_it() -> None:
    """Errors of Firehose, quarantine, discarded batches and redriven records have one parameter. Default: kept."""
    expiring = {
        rule["Prefix"]: rule["ExpirationInDays"]
        for rule in lifecycle(FailureExpirationDays="90").values()
        if "ExpirationInDays" in rule
    }
    assert expiring == {"errors/": "90", "quarantine/": "90", "aws/lambda/": "90", "redriven/": "90"}
    assert not any("ExpirationInDays" in rule for rule in lifecycle().values())


def test_lake_formation_grants_firehose_the_table_before_the_stream_reads_it() -> None:
    """Firehose reads the table when it is created. A stack without Lake Formation has no grant."""
    granted = stack(LakeFormation="true")
    grant = granted.properties("LogTableGrant")
    schema_of = firehose(LakeFormation="true")["DataFormatConversionConfiguration"]["SchemaConfiguration"]
    written = template()["Resources"]["DeliveryStream"]["Properties"]["ExtendedS3DestinationConfiguration"]
    assert grant["Principal"] == {"DataLakePrincipalIdentifier": "{DeliveryRole.Arn}"}
    assert grant["Resource"]["Table"]["Name"] == schema_of["TableName"] == "{LogTable}"
    assert "LogTableGrant" in str(written["DataFormatConversionConfiguration"]["SchemaConfiguration"]["TableName"])
    assert "LogTableGrant" not in stack().resources


def test_a_log_that_neither_moves_nor_expires_has_no_rule() -> None:
    """S3 rejects a rule without an action."""
    assert list(lifecycle(LogStorageClass="STANDARD")) == ["what-was-replaced"]


def test_old_versions_and_unfinished_uploads_expire() -> None:
    """Noncurrent versions expire after thirty days, and unfinished uploads after seven."""
    rule = lifecycle()["what-was-replaced"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert "Prefix" not in rule


def test_firehose_table_and_archive_use_one_prefix() -> None:
    """Firehose writes where the Glue table and the code read."""
    assert firehose()["BucketARN"] == "{LogBucket.Arn}"
    assert firehose()["CustomTimeZone"] == "UTC"
    assert firehose()["Prefix"] == "events/dt=!{timestamp:yyyy-MM-dd}/hr=!{timestamp:HH}/"
    prefix = signature(S3Archive).parameters["prefix"].default
    assert firehose()["Prefix"].startswith(prefix)
    assert glue_table()["StorageDescriptor"]["Location"] == f"s3://{{LogBucket}}/{prefix}"


def test_failed_records_are_stored_by_type_of_error() -> None:
    """Both error prefixes are outside the log and contain the type of error."""
    for prefix in (
        firehose()["ErrorOutputPrefix"],
        firehose(SourceBackup="true")["S3BackupConfiguration"]["ErrorOutputPrefix"],
    ):
        assert prefix.startswith("errors/")
        assert "!{firehose:error-output-type}" in prefix


def test_rows_are_converted_to_parquet_by_the_glue_table() -> None:
    """Firehose writes gzip-compressed Parquet with dictionaries, with the newest schema of the table."""
    conversion = firehose()["DataFormatConversionConfiguration"]
    assert conversion["Enabled"] is True
    assert conversion["OutputFormatConfiguration"]["Serializer"]["ParquetSerDe"] == {
        "Compression": "GZIP",
        "EnableDictionaryCompression": True,
        "WriterVersion": "V1",
    }
    assert conversion["SchemaConfiguration"] == {
        "RoleARN": "{DeliveryRole.Arn}",
        "CatalogId": ACCOUNT,
        "Region": REGION,
        "DatabaseName": "{Database}",
        "TableName": "{LogTable}",
        "VersionId": "LATEST",
    }
    assert firehose()["CompressionFormat"] == "UNCOMPRESSED"  # Parquet is compressed inside


def test_the_keys_of_tags_keep_their_case() -> None:
    """A case-insensitive reader would fail on two keys that differ in case."""
    conversion = firehose()["DataFormatConversionConfiguration"]
    assert conversion["InputFormatConfiguration"] == {"Deserializer": {"OpenXJsonSerDe": {"CaseInsensitive": False}}}


def test_a_batchs_rows_fit_into_lambdas_response() -> None:
    """Rows of a batch, at most four times as large, fit into the response of the transform."""
    assert processor()["LambdaArn"] == "{Transform.Arn}:$LATEST"
    assert int(processor()["BufferSizeInMBs"]) == 1
    batch_bytes = 4 / 3 * MIB  # records arrive in base64
    assert 4 * batch_bytes < RESPONSE_BYTES


@pytest.mark.parametrize("name", ["LogBufferSeconds", "LogBufferMegabytes"])
def test_buffers_are_within_the_limits(name: str) -> None:
    """The longest buffers stay within the delay that the archive allows, and within Firehose's limits."""
    bounds = template()["Parameters"][name]
    if name == "LogBufferSeconds":
        # The buffer of the transform, and Firehose's own.
        waits = timedelta(seconds=bounds["MaxValue"] + int(processor()["BufferIntervalInSeconds"]))
        assert waits < LATEST_AFTER_HOUR
    else:
        assert (bounds["MinValue"], bounds["MaxValue"]) == (64, 128)  # with conversion to Parquet
    assert bounds["MinValue"] <= bounds["Default"] <= bounds["MaxValue"]


def test_the_delivery_stream_is_encrypted() -> None:
    """Buffered records are encrypted."""
    stream = stack().properties("DeliveryStream")
    assert stream["DeliveryStreamType"] == "DirectPut"
    assert stream["DeliveryStreamEncryptionConfigurationInput"] == {"KeyType": "AWS_OWNED_CMK"}


def test_firehose_logs_its_errors() -> None:
    """Firehose's errors have their own log group."""
    assert firehose()["CloudWatchLoggingOptions"] == {
        "Enabled": True,
        "LogGroupName": "{DeliveryLogs}",
        "LogStreamName": "{DeliveryLogStream}",
    }


def test_source_records_are_backed_up_if_requested() -> None:
    """The source backup is off by default, and otherwise has its own prefix and compression."""
    assert firehose()["S3BackupMode"] == "Disabled"
    assert "S3BackupConfiguration" not in firehose()

    backup = firehose(SourceBackup="true")
    assert backup["S3BackupMode"] == "Enabled"
    assert backup["S3BackupConfiguration"]["Prefix"].startswith("source/")
    assert backup["S3BackupConfiguration"]["CompressionFormat"] == "GZIP"


def test_columns_and_partitions_are_those_of_the_schema() -> None:
    """Columns of the Glue table equal schemas/log.json, in order."""
    assert glue_table()["StorageDescriptor"]["Columns"] == schema.glue_columns()
    assert glue_table()["PartitionKeys"] == schema.glue_partitions()


@pytest.mark.parametrize("column", schema.glue_columns() + schema.glue_partitions(), ids=lambda column: column["Name"])
def test_a_column_satisfies_glues_rules(column: dict[str, str]) -> None:
    """The comment fits into Glue's limit, and the name needs no quotes."""
    assert len(column["Comment"].encode()) <= LONGEST_COMMENT
    assert re.fullmatch(r"[a-z][a-z0-9_]*", column["Name"])


def test_the_table_equals_that_of_the_local_cloud() -> None:
    """Only the first day of the projection differs."""
    names = Names(bucket="{LogBucket}")
    deployed, local = glue_table(), log_table(names)
    assert deployed.pop("Description")

    assert deployed["Parameters"].pop("projection.dt.range") == f"{defaults()['LogFirstDay']},NOW+1DAYS"
    assert local["Parameters"].pop("projection.dt.range").endswith(",NOW+1DAYS")
    assert deployed == local


def test_partitions_are_projected_from_the_first_day() -> None:
    """Partition projection covers every hour from the first day to tomorrow."""
    parameters = glue_table(LogFirstDay="2024-02-29")["Parameters"]
    assert parameters["projection.enabled"] == "true"
    assert parameters["projection.dt.range"] == "2024-02-29,NOW+1DAYS"
    assert (parameters["projection.hr.range"], parameters["projection.hr.digits"]) == ("0,23", "2")
    assert parameters["storage.location.template"] == "s3://{LogBucket}/events/dt=${dt}/hr=${hr}/"


def test_the_database_needs_no_quotes_in_sql() -> None:
    """Hyphens of the stack's name become underscores."""
    assert stack().properties("Database")["DatabaseInput"]["Name"] == "mail_fold"


def test_the_workgroup_enforces_the_scan_limit() -> None:
    """Clients cannot override the limit."""
    configuration = stack().properties("Workgroup")["WorkGroupConfiguration"]
    assert configuration["BytesScannedCutoffPerQuery"] == defaults()["QueryScanLimitBytes"] == str(100 << 30)
    assert configuration["EnforceWorkGroupConfiguration"] is True


def test_athena_manages_query_results() -> None:
    """No bucket for query results is needed."""
    configuration = stack().properties("Workgroup")["WorkGroupConfiguration"]
    assert configuration["ManagedQueryResultsConfiguration"] == {"Enabled": True}
