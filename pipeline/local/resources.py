"""What the local cloud is made of, and how it is created in a backend. What is there already stays as it is.

The Glue table is that of the template, with partition projection:
docs.aws.amazon.com/athena/latest/ug/partition-projection-setting-up.html
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from secrets import token_hex
from typing import Any

import msgspec
from botocore.exceptions import ClientError

from pipeline.aws.archive.schema import glue_columns, glue_partitions
from pipeline.aws.clients import Service
from pipeline.aws.dynamodb import table_definition
from pipeline.aws.errors import error_code
from pipeline.errors import Unavailable
from pipeline.local.client import ERRORS
from pipeline.local.ses.email import CONFIGURATION_SET

LOG_PREFIX = "events/"
FIRST_DAY = "2026-01-01"  # of any log; a range that moves with today would hide what a log has kept for longer
DEFAULT_REGION = "us-east-1"  # the one region that CreateBucket does not take as a location

# The services' words for "that is there already".
_THERE = frozenset(
    {
        "AlreadyExistsException",
        "BucketAlreadyOwnedByYou",
        "ConfigurationSetAlreadyExistsException",  # moto's; SES itself says AlreadyExistsException
        "ResourceInUseException",
    }
)
_WAIT = {"Delay": 1, "MaxAttempts": 30}  # seconds, and how often; emulators are done at once

ClientSource = Callable[[Service], Any]
"""Gives a boto3 client of a service."""


class Names(msgspec.Struct, frozen=True, kw_only=True):
    """What things are called.

    Attributes:
        table: The suppression table.
        bucket: The bucket of log and quarantine.
        stream: The Kinesis data stream of the feedback.
        delivery_stream: The Firehose delivery stream of the log.
        database: The Glue database.
        log: The Glue table.
        configuration_set: The SES configuration set.
    """

    table: str = "mailfold-suppression"
    bucket: str = "mailfold-log"
    stream: str = "mailfold-feedback"
    delivery_stream: str = "mailfold-events"
    database: str = "mailfold"
    log: str = "events"
    configuration_set: str = CONFIGURATION_SET


def fresh_names() -> Names:
    """Return names that no backend has anything under yet; the configuration set, which holds nothing, is shared."""
    names, own = Names(), token_hex(4)
    return Names(
        table=f"{names.table}-{own}",
        bucket=f"{names.bucket}-{own}",
        stream=f"{names.stream}-{own}",
        delivery_stream=f"{names.delivery_stream}-{own}",
        database=f"{names.database}_{own}",
    )


def create_all(client: ClientSource, names: Names, *, region: str) -> None:
    """Create everything in a backend, and wait until it can be used.

    Raises:
        Unavailable: The backend cannot be reached, or refuses.
    """
    for create in (_bucket, _stream, _table, _catalogue, _configuration_set):
        try:
            create(client, names, region)
        except ERRORS as error:
            what = create.__name__.strip("_").replace("_", " ")
            raise Unavailable(f"creating the {what} of the local cloud ended in {error_code(error)}") from error


def _bucket(client: ClientSource, names: Names, region: str) -> None:
    place = {} if region == DEFAULT_REGION else {"CreateBucketConfiguration": {"LocationConstraint": region}}
    with _unless_there():
        client("s3").create_bucket(Bucket=names.bucket, **place)


def _stream(client: ClientSource, names: Names, _: str) -> None:
    with _unless_there():
        client("kinesis").create_stream(StreamName=names.stream, ShardCount=1)
    client("kinesis").get_waiter("stream_exists").wait(StreamName=names.stream, WaiterConfig=_WAIT)


def _table(client: ClientSource, names: Names, _: str) -> None:
    with _unless_there():
        client("dynamodb").create_table(**table_definition(names.table))
    client("dynamodb").get_waiter("table_exists").wait(TableName=names.table, WaiterConfig=_WAIT)


def _catalogue(client: ClientSource, names: Names, _: str) -> None:
    glue = client("glue")
    with _unless_there():
        glue.create_database(DatabaseInput={"Name": names.database})
    with _unless_there():
        glue.create_table(DatabaseName=names.database, TableInput=log_table(names))


def _configuration_set(client: ClientSource, names: Names, _: str) -> None:
    with _unless_there():
        client("sesv2").create_configuration_set(ConfigurationSetName=names.configuration_set)


def log_table(names: Names) -> dict[str, Any]:
    """Return the log as Glue's CreateTable takes it."""
    place = f"s3://{names.bucket}/{LOG_PREFIX}"
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
            "storage.location.template": f"{place}dt=${{dt}}/hr=${{hr}}/",
        },
        "StorageDescriptor": {
            "Columns": glue_columns(),
            "Location": place,
            "InputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetInputFormat",
            "OutputFormat": "org.apache.hadoop.hive.ql.io.parquet.MapredParquetOutputFormat",
            "SerdeInfo": {"SerializationLibrary": "org.apache.hadoop.hive.ql.io.parquet.serde.ParquetHiveSerDe"},
        },
    }


@contextmanager
def _unless_there() -> Iterator[None]:
    try:
        yield
    except ClientError as error:
        if error_code(error) not in _THERE:
            raise
