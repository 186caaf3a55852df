"""The Glue table: what is no column of it, Firehose drops in silence.

docs.aws.amazon.com/firehose/latest/dev/record-format-conversion.html and
docs.aws.amazon.com/athena/latest/ug/partition-projection-supported-types.html
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from pipeline.aws import schema
from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, fault, warning

if TYPE_CHECKING:
    from mypy_boto3_glue import GlueClient


def check_log_table(deployment: Deployment) -> Iterator[Finding]:
    """Compare the Glue table with schemas/log.json."""
    glue: GlueClient = deployment.client("glue")
    database, name = deployment.output("Database"), deployment.output("LogTable")
    answer = unless_missing(glue.get_table, DatabaseName=database, Name=name)
    again = f"make it again as infra/mailfold.yaml has it under LogTable, then {deployment.mailfold('doctor')}"
    if answer is None:
        words = f"the Glue table {database}.{name} is gone: Firehose cannot write the log, and nobody can ask it"
        yield fault("log_table_missing", words, mending=again)
        return
    table = answer["Table"]
    storage = table.get("StorageDescriptor", {})
    yield from _columns(f"{database}.{name}", storage.get("Columns", []), again)
    if _types(table.get("PartitionKeys", [])) != _types(schema.glue_partitions()):
        words = f"the partitions of the Glue table {database}.{name} are not dt and hr"
        yield fault("log_table_of_other_partitions", words, mending=again)
    place = f"s3://{deployment.output('LogBucket')}/events/"
    parameters = table.get("Parameters", {})
    template = f"{place}dt=${{dt}}/hr=${{hr}}/"
    location = storage.get("Location", "").rstrip("/") + "/"
    if location != place or parameters.get("storage.location.template") != template:
        yield fault("log_table_elsewhere", f"the Glue table {database}.{name} does not read {place}", mending=again)
    if parameters.get("projection.enabled") != "true":
        words = f"the Glue table {database}.{name} finds no new hours: its partition projection is off"
        yield fault("log_table_without_projection", words, mending=again)


def _columns(name: str, columns: list[Mapping[str, Any]], again: str) -> Iterator[Finding]:
    have, want = _types(columns), _types(schema.glue_columns())
    if missing := sorted(want.keys() - have.keys()):
        words = f"the Glue table {name} lacks columns, which Firehose therefore drops: {', '.join(missing)}"
        yield fault("log_table_lacks_columns", words, mending=again)
    if other := sorted(column for column in want.keys() & have.keys() if want[column] != have[column]):
        words = f"columns of the Glue table {name} have other types than schemas/log.json says: {', '.join(other)}"
        yield fault("log_table_of_other_types", words, mending=again)
    if more := sorted(have.keys() - want.keys()):
        words = f"the Glue table {name} has columns that this version of Mailfold does not know: {', '.join(more)}"
        yield warning("log_table_newer", words, mending="update Mailfold here, or take those columns out")


def _types(columns: list[Any]) -> dict[str, str]:
    return {column["Name"]: column["Type"].replace(" ", "").lower() for column in columns}
