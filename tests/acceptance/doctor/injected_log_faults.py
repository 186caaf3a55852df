"""Faults between Firehose and Athena."""

import json
from collections.abc import Callable
from typing import Any

from tests.acceptance.doctor.deployment_fixture import DeploymentFixture
from tests.acceptance.doctor.fault_injection import Fault, Heal


def _function_throttled(fixture: DeploymentFixture) -> None:
    fixture.client("lambda").put_function_concurrency(FunctionName=fixture["Transform"], ReservedConcurrentExecutions=0)


def _change_glue_table(fixture: DeploymentFixture, change: Callable[[Any], None]) -> Heal:
    """Change the definition of the Glue table."""
    glue, database = fixture.client("glue"), fixture["Database"]
    table = glue.get_table(DatabaseName=database, Name=fixture["LogTable"])["Table"]
    inputs = ("Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
    before = json.dumps({name: table[name] for name in inputs})
    changed = json.loads(before)
    change(changed)
    glue.update_table(DatabaseName=database, TableInput=changed)
    return lambda: glue.update_table(DatabaseName=database, TableInput=json.loads(before))


def _column_missing(fixture: DeploymentFixture) -> Heal:
    return _change_glue_table(fixture, lambda table: table["StorageDescriptor"]["Columns"].pop(3))


def _column_type_wrong(fixture: DeploymentFixture) -> Heal:
    return _change_glue_table(fixture, lambda table: table["StorageDescriptor"]["Columns"][3].update(Type="string"))


def _column_unknown(fixture: DeploymentFixture) -> Heal:
    column = {"Name": "of_tomorrow", "Type": "string"}
    return _change_glue_table(fixture, lambda table: table["StorageDescriptor"]["Columns"].append(column))


def _projection_off(fixture: DeploymentFixture) -> Heal:
    return _change_glue_table(fixture, lambda table: table["Parameters"].update({"projection.enabled": "false"}))


def _view_missing(fixture: DeploymentFixture) -> Heal:
    glue, database = fixture.client("glue"), fixture["Database"]
    glue.delete_table(DatabaseName=database, Name="mails")
    return lambda: glue.create_table(DatabaseName=database, TableInput={"Name": "mails", "TableType": "VIRTUAL_VIEW"})


def _bucket_not_private(fixture: DeploymentFixture) -> None:
    fixture.client("s3").delete_public_access_block(Bucket=fixture["LogBucket"])


def _bucket_not_versioned(fixture: DeploymentFixture) -> None:
    fixture.client("s3").put_bucket_versioning(
        Bucket=fixture["LogBucket"], VersioningConfiguration={"Status": "Suspended"}
    )


def _bucket_without_tls(fixture: DeploymentFixture) -> Heal:
    s3, bucket = fixture.client("s3"), fixture["LogBucket"]
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    return lambda: s3.put_bucket_policy(Bucket=bucket, Policy=policy)


def _workgroup_disabled(fixture: DeploymentFixture) -> None:
    fixture.client("athena").update_work_group(WorkGroup=fixture["Workgroup"], State="DISABLED")


def _change_firehose(fixture: DeploymentFixture, **changes: Any) -> Heal:
    firehose, name = fixture.client("firehose"), fixture["DeliveryStream"]
    stream = firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
    [destination] = stream["Destinations"]
    before = {name: destination["ExtendedS3DestinationDescription"][name] for name in changes}

    def put(settings: Any) -> None:
        version = firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]["VersionId"]
        firehose.update_destination(
            DeliveryStreamName=name,
            CurrentDeliveryStreamVersionId=version,
            DestinationId=destination["DestinationId"],
            ExtendedS3DestinationUpdate=settings,
        )

    put(changes)
    return lambda: put(before)


FAULTS = (
    Fault(
        finding="firehose_wrong_location",
        check="Firehose",
        inject=lambda fixture: _change_firehose(fixture, Prefix="elsewhere/"),
    ),
    Fault(
        finding="firehose_not_transforming",
        check="Firehose",
        inject=lambda fixture: _change_firehose(fixture, ProcessingConfiguration={"Enabled": False, "Processors": []}),
    ),
    Fault(
        finding="firehose_not_converting",
        check="Firehose",
        inject=lambda fixture: _change_firehose(fixture, DataFormatConversionConfiguration={"Enabled": False}),
    ),
    Fault(finding="function_throttled", check="transform", inject=_function_throttled),
    Fault(finding="bucket_public_access", check="bucket", inject=_bucket_not_private),
    Fault(finding="bucket_not_versioned", check="bucket", inject=_bucket_not_versioned),
    Fault(finding="bucket_without_tls", check="bucket", inject=_bucket_without_tls),
    Fault(finding="log_table_missing_columns", check="Glue table", inject=_column_missing),
    Fault(finding="log_table_wrong_types", check="Glue table", inject=_column_type_wrong),
    Fault(finding="log_table_unknown_columns", check="Glue table", inject=_column_unknown),
    Fault(finding="log_table_without_projection", check="Glue table", inject=_projection_off),
    Fault(finding="workgroup_disabled", check="Athena", inject=_workgroup_disabled),
    Fault(finding="views_missing", check="Athena", inject=_view_missing),
)
