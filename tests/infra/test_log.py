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
    return stack(**parameters).properties("LogBucket")


def lifecycle(**parameters: str) -> dict[str, Any]:
    return {rule["Id"]: rule for rule in bucket(**parameters)["LifecycleConfiguration"]["Rules"]}


def firehose(**parameters: str) -> Any:
    return stack(**parameters).properties("DeliveryStream")["ExtendedS3DestinationConfiguration"]


def processor() -> dict[str, str]:
    (only,) = firehose()["ProcessingConfiguration"]["Processors"]
    return {parameter["ParameterName"]: parameter["ParameterValue"] for parameter in only["Parameters"]}


def glue_table(**parameters: str) -> Any:
    return stack(**parameters).properties("LogTable")["TableInput"]


def test_the_bucket_is_encrypted_versioned_and_its_owners_alone() -> None:
    (rule,) = bucket()["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    assert bucket()["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket()["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}


def test_the_bucket_is_closed_to_the_public() -> None:
    block = bucket()["PublicAccessBlockConfiguration"]
    assert block == dict.fromkeys(
        ("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True
    )


def test_the_bucket_takes_tls_only() -> None:
    (statement,) = stack().properties("LogBucketPolicy")["PolicyDocument"]["Statement"]
    assert statement == {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["{LogBucket.Arn}", "{LogBucket.Arn}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }


def test_the_log_never_expires_unless_it_is_told_to() -> None:
    assert "ExpirationInDays" not in lifecycle()["log"]
    assert lifecycle(LogExpirationDays="4000")["log"]["ExpirationInDays"] == "4000"


@pytest.mark.parametrize("storage_class", template()["Parameters"]["LogStorageClass"]["AllowedValues"])
def test_the_log_moves_only_to_where_athena_still_reads_it(storage_class: str) -> None:
    rule = lifecycle(LogStorageClass=storage_class).get("log", {})
    storage_classes = [transition["StorageClass"] for transition in rule.get("Transitions", [])]

    assert storage_classes == [name for name in [storage_class] if name != "STANDARD"]
    assert storage_class in READABLE


def test_only_the_log_itself_moves() -> None:
    assert lifecycle()["log"]["Prefix"] == "events/"
    assert [name for name, rule in lifecycle().items() if "Transitions" in rule] == ["log"]


def test_a_log_that_neither_moves_nor_expires_has_no_rule() -> None:
    assert list(lifecycle(LogStorageClass="STANDARD")) == ["what-was-replaced"]


def test_what_was_replaced_goes_after_thirty_days_and_half_an_upload_after_seven() -> None:
    rule = lifecycle()["what-was-replaced"]
    assert rule["NoncurrentVersionExpiration"] == {"NoncurrentDays": 30}
    assert rule["AbortIncompleteMultipartUpload"] == {"DaysAfterInitiation": 7}
    assert "Prefix" not in rule


def test_firehose_writes_where_archive_and_table_look() -> None:
    assert firehose()["BucketARN"] == "{LogBucket.Arn}"
    assert firehose()["CustomTimeZone"] == "UTC"
    assert firehose()["Prefix"] == "events/dt=!{timestamp:yyyy-MM-dd}/hr=!{timestamp:HH}/"
    prefix = signature(S3Archive).parameters["prefix"].default
    assert firehose()["Prefix"].startswith(prefix)
    assert glue_table()["StorageDescriptor"]["Location"] == f"s3://{{LogBucket}}/{prefix}"


def test_what_fails_lies_apart_from_the_log_by_what_went_wrong() -> None:
    for prefix in (
        firehose()["ErrorOutputPrefix"],
        firehose(SourceBackup="true")["S3BackupConfiguration"]["ErrorOutputPrefix"],
    ):
        assert prefix.startswith("errors/")
        assert "!{firehose:error-output-type}" in prefix


def test_rows_become_parquet_gzip_with_dictionaries_by_the_glue_table() -> None:
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
    conversion = firehose()["DataFormatConversionConfiguration"]
    assert conversion["InputFormatConfiguration"] == {"Deserializer": {"OpenXJsonSerDe": {"CaseInsensitive": False}}}


def test_firehose_calls_the_transform_with_batches_whose_rows_fit_into_an_answer() -> None:
    assert processor()["LambdaArn"] == "{Transform.Arn}:$LATEST"
    assert int(processor()["BufferSizeInMBs"]) == 1
    batch_bytes = 4 / 3 * MIB  # records arrive in base64
    assert 4 * batch_bytes < RESPONSE_BYTES


@pytest.mark.parametrize("name", ["LogBufferSeconds", "LogBufferMegabytes"])
def test_firehose_gathers_as_much_as_its_limits_and_the_archive_allow(name: str) -> None:
    bounds = template()["Parameters"][name]
    if name == "LogBufferSeconds":
        # The buffer of the transform, and Firehose's own.
        waits = timedelta(seconds=bounds["MaxValue"] + int(processor()["BufferIntervalInSeconds"]))
        assert waits < LATEST_AFTER_HOUR
    else:
        assert (bounds["MinValue"], bounds["MaxValue"]) == (64, 128)  # with conversion to Parquet
    assert bounds["MinValue"] <= bounds["Default"] <= bounds["MaxValue"]


def test_firehose_encrypts_what_it_gathers() -> None:
    stream = stack().properties("DeliveryStream")
    assert stream["DeliveryStreamType"] == "DirectPut"
    assert stream["DeliveryStreamEncryptionConfigurationInput"] == {"KeyType": "AWS_OWNED_CMK"}


def test_firehose_says_what_went_wrong_in_a_log_of_its_own() -> None:
    assert firehose()["CloudWatchLoggingOptions"] == {
        "Enabled": True,
        "LogGroupName": "{DeliveryLogs}",
        "LogStreamName": "{DeliveryLogStream}",
    }


def test_records_as_they_came_are_kept_too_if_asked_for() -> None:
    assert firehose()["S3BackupMode"] == "Disabled"
    assert "S3BackupConfiguration" not in firehose()

    backup = firehose(SourceBackup="true")
    assert backup["S3BackupMode"] == "Enabled"
    assert backup["S3BackupConfiguration"]["Prefix"].startswith("source/")
    assert backup["S3BackupConfiguration"]["CompressionFormat"] == "GZIP"


def test_the_columns_are_those_of_the_schema_in_its_order() -> None:
    assert glue_table()["StorageDescriptor"]["Columns"] == schema.glue_columns()
    assert glue_table()["PartitionKeys"] == schema.glue_partitions()


@pytest.mark.parametrize("column", schema.glue_columns() + schema.glue_partitions(), ids=lambda column: column["Name"])
def test_a_column_is_one_that_glue_takes(column: dict[str, str]) -> None:
    assert len(column["Comment"].encode()) <= LONGEST_COMMENT
    assert re.fullmatch(r"[a-z][a-z0-9_]*", column["Name"])


def test_the_table_is_that_of_the_local_cloud_but_for_where_it_begins() -> None:
    names = Names(bucket="{LogBucket}")
    deployed, local = glue_table(), log_table(names)
    assert deployed.pop("Description")

    assert deployed["Parameters"].pop("projection.dt.range") == f"{defaults()['LogFirstDay']},NOW+1DAYS"
    assert local["Parameters"].pop("projection.dt.range").endswith(",NOW+1DAYS")
    assert deployed == local


def test_every_hour_since_the_first_day_is_projected() -> None:
    parameters = glue_table(LogFirstDay="2024-02-29")["Parameters"]
    assert parameters["projection.enabled"] == "true"
    assert parameters["projection.dt.range"] == "2024-02-29,NOW+1DAYS"
    assert (parameters["projection.hr.range"], parameters["projection.hr.digits"]) == ("0,23", "2")
    assert parameters["storage.location.template"] == "s3://{LogBucket}/events/dt=${dt}/hr=${hr}/"


def test_the_database_needs_no_quotes_in_sql() -> None:
    assert stack().properties("Database")["DatabaseInput"]["Name"] == "mail_fold"


def test_no_query_scans_more_than_the_limit_whoever_starts_it() -> None:
    configuration = stack().properties("Workgroup")["WorkGroupConfiguration"]
    assert configuration["BytesScannedCutoffPerQuery"] == defaults()["QueryScanLimitBytes"] == str(100 << 30)
    assert configuration["EnforceWorkGroupConfiguration"] is True


def test_athena_keeps_answers_itself() -> None:
    configuration = stack().properties("Workgroup")["WorkGroupConfiguration"]
    assert configuration["ManagedQueryResultsConfiguration"] == {"Enabled": True}
