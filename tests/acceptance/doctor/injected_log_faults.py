"""Faults of the way to the log."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.acceptance.doctor.deployment_fixture import Patient
from tests.acceptance.doctor.fault_injection import Mend, Plant


def _function_throttled(patient: Patient) -> None:
    patient.client("lambda").put_function_concurrency(FunctionName=patient["Transform"], ReservedConcurrentExecutions=0)


@contextmanager
def _glue_table(patient: Patient, mends: list[Mend]) -> Iterator[Any]:
    """Give the Glue table's definition, and put it as it is then."""
    glue, database = patient.client("glue"), patient["Database"]
    table = glue.get_table(DatabaseName=database, Name=patient["LogTable"])["Table"]
    kept = ("Name", "TableType", "Parameters", "PartitionKeys", "StorageDescriptor")
    before = json.dumps({name: table[name] for name in kept})
    changed = json.loads(before)
    yield changed
    glue.update_table(DatabaseName=database, TableInput=changed)
    mends.append(lambda: glue.update_table(DatabaseName=database, TableInput=json.loads(before)))


def _column_missing(patient: Patient) -> Mend:
    mends: list[Mend] = []
    with _glue_table(patient, mends) as table:
        table["StorageDescriptor"]["Columns"].pop(3)
    return mends[0]


def _column_changed(patient: Patient) -> Mend:
    mends: list[Mend] = []
    with _glue_table(patient, mends) as table:
        table["StorageDescriptor"]["Columns"][3]["Type"] = "string"
    return mends[0]


def _column_added(patient: Patient) -> Mend:
    mends: list[Mend] = []
    with _glue_table(patient, mends) as table:
        table["StorageDescriptor"]["Columns"].append({"Name": "of_tomorrow", "Type": "string"})
    return mends[0]


def _projection_off(patient: Patient) -> Mend:
    mends: list[Mend] = []
    with _glue_table(patient, mends) as table:
        table["Parameters"]["projection.enabled"] = "false"
    return mends[0]


def _view_missing(patient: Patient) -> Mend:
    glue, database = patient.client("glue"), patient["Database"]
    glue.delete_table(DatabaseName=database, Name="mails")
    return lambda: glue.create_table(DatabaseName=database, TableInput={"Name": "mails", "TableType": "VIRTUAL_VIEW"})


def _bucket_open(patient: Patient) -> None:
    patient.client("s3").delete_public_access_block(Bucket=patient["LogBucket"])


def _bucket_not_versioned(patient: Patient) -> None:
    patient.client("s3").put_bucket_versioning(
        Bucket=patient["LogBucket"], VersioningConfiguration={"Status": "Suspended"}
    )


def _bucket_without_tls(patient: Patient) -> Mend:
    s3, bucket = patient.client("s3"), patient["LogBucket"]
    policy = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    s3.delete_bucket_policy(Bucket=bucket)
    return lambda: s3.put_bucket_policy(Bucket=bucket, Policy=policy)


def _workgroup_disabled(patient: Patient) -> None:
    patient.client("athena").update_work_group(WorkGroup=patient["Workgroup"], State="DISABLED")


def _firehose(patient: Patient, **changes: Any) -> Mend:
    firehose, name = patient.client("firehose"), patient["DeliveryStream"]
    stream = firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]
    [there] = stream["Destinations"]
    before = {name: there["ExtendedS3DestinationDescription"][name] for name in changes}

    def put(settings: Any) -> None:
        version = firehose.describe_delivery_stream(DeliveryStreamName=name)["DeliveryStreamDescription"]["VersionId"]
        firehose.update_destination(
            DeliveryStreamName=name,
            CurrentDeliveryStreamVersionId=version,
            DestinationId=there["DestinationId"],
            ExtendedS3DestinationUpdate=settings,
        )

    put(changes)
    return lambda: put(before)


PLANTS = (
    Plant(finding="firehose_writes_elsewhere", link="Firehose", by=lambda mail: _firehose(mail, Prefix="elsewhere/")),
    Plant(
        finding="firehose_not_transforming",
        link="Firehose",
        by=lambda mail: _firehose(mail, ProcessingConfiguration={"Enabled": False, "Processors": []}),
    ),
    Plant(
        finding="firehose_not_converting",
        link="Firehose",
        by=lambda mail: _firehose(mail, DataFormatConversionConfiguration={"Enabled": False}),
    ),
    Plant(finding="function_throttled", link="transform", by=_function_throttled),
    Plant(finding="bucket_open", link="bucket", by=_bucket_open),
    Plant(finding="bucket_not_versioned", link="bucket", by=_bucket_not_versioned),
    Plant(finding="bucket_without_tls", link="bucket", by=_bucket_without_tls),
    Plant(finding="log_table_lacks_columns", link="Glue table", by=_column_missing),
    Plant(finding="log_table_of_other_types", link="Glue table", by=_column_changed),
    Plant(finding="log_table_newer", link="Glue table", by=_column_added),
    Plant(finding="log_table_without_projection", link="Glue table", by=_projection_off),
    Plant(finding="workgroup_disabled", link="Athena", by=_workgroup_disabled),
    Plant(finding="views_missing", link="Athena", by=_view_missing),
)
