"""The AWS resources of the local cloud, and their creation in a backend. Existing resources stay as they are.

The Glue table is the template's, with partition projection:
docs.aws.amazon.com/athena/latest/ug/partition-projection-setting-up.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.aws.archive.schema import glue_columns, glue_partitions
from pipeline.aws.clients import Clients
from pipeline.aws.dynamodb import table_definition
from pipeline.aws.errors import tolerate, translated
from pipeline.aws.stack import SuppressionTables, create_tables
from pipeline.local.ses.email import CONFIGURATION_SET

if TYPE_CHECKING:
    from mypy_boto3_kinesis.type_defs import WaiterConfigTypeDef

LOG_PREFIX = "events/"
FIRST_DAY = "2026-01-01"  # of any log; a range that moves with today would hide the older days of a log
DEFAULT_REGION = "us-east-1"  # the one region that CreateBucket rejects as a location constraint

# The services' codes for a resource that exists.
_EXISTS = frozenset(
    {
        "AlreadyExistsException",
        "BucketAlreadyOwnedByYou",
        "ConfigurationSetAlreadyExistsException",  # moto's; SES itself says AlreadyExistsException
        "ResourceInUseException",
    }
)
_WAIT: WaiterConfigTypeDef = {"Delay": 1, "MaxAttempts": 30}  # seconds, and attempts; emulators need one


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """Names of the resources.

    Attributes:
        table: Suppression table.
        bucket: Bucket of log and quarantine.
        stream: Kinesis data stream of the feedback.
        delivery_stream: Firehose delivery stream of the log.
        database: Glue database.
        log: Glue table of the log.
        configuration_set: SES configuration set.
        tables_parameter: SSM parameter that names the live suppression table, and holds the policy in force.
    """

    table: str = "mailfold-suppression"
    bucket: str = "mailfold-log"
    stream: str = "mailfold-feedback"
    delivery_stream: str = "mailfold-events"
    database: str = "mailfold"
    log: str = "events"
    configuration_set: str = CONFIGURATION_SET
    tables_parameter: str = "/mailfold/local/tables"


def delivery_stream_arn(names: Names, *, region: str, account_id: str) -> str:
    """Return the ARN of the delivery stream."""
    return f"arn:aws:firehose:{region}:{account_id}:deliverystream/{names.delivery_stream}"


def fresh_names() -> Names:
    """Return names that are new to any backend. The configuration set is shared, because it holds nothing."""
    names, suffix = Names(), token_hex(4)
    return Names(
        table=f"{names.table}-{suffix}",
        bucket=f"{names.bucket}-{suffix}",
        stream=f"{names.stream}-{suffix}",
        delivery_stream=f"{names.delivery_stream}-{suffix}",
        database=f"{names.database}_{suffix}",
        tables_parameter=f"{names.tables_parameter}-{suffix}",
    )


def create_all(clients: Clients, names: Names, *, region: str) -> None:
    """Create all resources in a backend, and wait until they are usable.

    Raises:
        MailfoldError: The backend rejects a resource or cannot be reached; see `pipeline.aws.errors.translated`.
    """
    with translated("creating the bucket of the local cloud"):
        _create_bucket(clients, names, region)
    with translated("creating the stream of the local cloud"):
        _create_stream(clients, names)
    with translated("creating the table of the local cloud"):
        _create_table(clients, names)
    tables = SuppressionTables(live=names.table)
    create_tables(clients.ssm, parameter=names.tables_parameter, tables=tables)
    with translated("creating the Glue catalog of the local cloud"):
        _create_catalog(clients, names)
    with translated("creating the configuration set of the local cloud"):
        name = names.configuration_set
        tolerate(lambda: clients.sesv2.create_configuration_set(ConfigurationSetName=name), *_EXISTS)
    with translated("creating the delivery stream of the local cloud"):
        destination: Any = delivery_destination(names)
        tolerate(
            lambda: clients.firehose.create_delivery_stream(
                DeliveryStreamName=names.delivery_stream, ExtendedS3DestinationConfiguration=destination
            ),
            *_EXISTS,
        )


def register_views(clients: Clients, names: Names, columns: Mapping[str, Sequence[tuple[str, str]]]) -> None:
    """Register the views in the Glue catalog, as Athena does for CREATE VIEW.

    Args:
        clients: Clients of the backend.
        names: Names of the resources.
        columns: Names and Glue types of the columns of each view.

    Raises:
        MailfoldError: The backend rejects one or cannot be reached; see `pipeline.aws.errors.translated`.
    """
    with translated("creating the views of the local cloud"):
        for view, view_columns in columns.items():
            table: Any = {
                "Name": view,
                "TableType": "VIRTUAL_VIEW",
                "Parameters": {"presto_view": "true", "comment": "Presto View"},
                "StorageDescriptor": {"Columns": [{"Name": name, "Type": type_} for name, type_ in view_columns]},
            }
            tolerate(partial(clients.glue.create_table, DatabaseName=names.database, TableInput=table), *_EXISTS)


def delivery_destination(names: Names) -> dict[str, Any]:
    """Return the delivery stream's destination as CreateDeliveryStream expects it. It only describes the stream."""
    return {
        "RoleARN": "arn:aws:iam::123456789012:role/mailfold",
        "BucketARN": f"arn:aws:s3:::{names.bucket}",
        "Prefix": f"{LOG_PREFIX}dt=!{{timestamp:yyyy-MM-dd}}/hr=!{{timestamp:HH}}/",
        "ErrorOutputPrefix": "errors/!{firehose:error-output-type}/",
    }


def log_table(names: Names) -> dict[str, Any]:
    """Return the log's table as Glue's CreateTable expects it."""
    location = f"s3://{names.bucket}/{LOG_PREFIX}"
    return {
        "Name": names.log,
        "TableType": "EXTERNAL_TABLE",
        "PartitionKeys": glue_partitions(),
        "Parameters": {
            "classification": "parquet",
            "projection.enabled": "true",
            "projection.dt.type": "date",
            "projection.dt.format": "yyyy-MM-dd",
            "projection.dt.range": f"{FIRST_DAY},NOW+1DAYS",
            "projection.dt.interval": "1",
            "projection.dt.interval.unit": "DAYS",
            "projection.hr.type": "integer",
            "projection.hr.range": "0,23",
            "projection.hr.digits": "2",
            "storage.location.template": f"{location}dt=${{dt}}/hr=${{hr}}/",
        },
        "StorageDescriptor": {
            "Columns": glue_columns(),
            "Location": location,
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
        },
    }


def _create_bucket(clients: Clients, names: Names, region: str) -> None:
    location: Any = {} if region == DEFAULT_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    tolerate(lambda: clients.s3.create_bucket(Bucket=names.bucket, **location), *_EXISTS)


def _create_stream(clients: Clients, names: Names) -> None:
    tolerate(lambda: clients.kinesis.create_stream(StreamName=names.stream, ShardCount=1), *_EXISTS)
    clients.kinesis.get_waiter("stream_exists").wait(StreamName=names.stream, WaiterConfig=_WAIT)


def _create_table(clients: Clients, names: Names) -> None:
    definition: Any = table_definition(names.table)
    tolerate(lambda: clients.dynamodb.create_table(**definition), *_EXISTS)
    clients.dynamodb.get_waiter("table_exists").wait(TableName=names.table, WaiterConfig=_WAIT)


def _create_catalog(clients: Clients, names: Names) -> None:
    table: Any = log_table(names)
    tolerate(lambda: clients.glue.create_database(DatabaseInput={"Name": names.database}), *_EXISTS)
    tolerate(lambda: clients.glue.create_table(DatabaseName=names.database, TableInput=table), *_EXISTS)
