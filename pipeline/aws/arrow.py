"""Rows of the log as Arrow tables, and back."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import astuple

from pipeline.aws.column import Column
from pipeline.aws.schema import arrow_schema
from pipeline.columns import Diagnosis
from pipeline.row import FactColumn, Row
from pipeline.timestamp import from_ms

# So few rows stay in the processor's cache, and below the number of objects that starts Python's garbage collector.
ROWS_TURNED = 48


def to_table(rows: Iterable[Row]) -> Any:
    """Return rows as an Arrow table of `schema.arrow_schema`, in their order; every empty list is null.

    Rows are let go as they are taken: given one by one they are never all held.
    """
    schema = arrow_schema()
    columns = [Column(field) for field in schema]
    tuples = map(astuple, rows)
    while some := list(islice(tuples, ROWS_TURNED)):
        for column, values in zip(columns, zip(*some, strict=True), strict=True):
            column.add(values)
    return pa.Table.from_arrays([column.array() for column in columns], schema=schema)


def to_rows(table: Any) -> list[Row]:
    """Return a table as rows, in its order; columns that it lacks are empty, those that the log lacks are left out."""
    fields = [field for field in arrow_schema() if field.name in table.schema.names]
    names = [field.name for field in fields]
    columns = [_reader(field)(table.column(field.name).cast(field.type)) for field in fields]
    return [Row(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]


def arrived_between(rows: Any, since: datetime | None, until: datetime | None) -> Any:
    """Return those rows of a table or batch that arrived from `since` up to, not including, `until`."""
    arrived_at = rows.column("arrived_at").cast(pa.timestamp("us", "UTC"))
    if since is not None:
        within = pc.greater_equal(arrived_at, pa.scalar(since, arrived_at.type))
        rows, arrived_at = rows.filter(within), arrived_at.filter(within)
    return rows if until is None else rows.filter(pc.less(arrived_at, pa.scalar(until, arrived_at.type)))


def _reader(field: Any) -> Callable[[Any], Sequence[Any]]:
    """Return what makes a row's attributes from an Arrow column."""
    if pa.types.is_timestamp(field.type):
        return lambda values: [None if ms is None else from_ms(ms) for ms in values.cast(pa.int64()).to_pylist()]
    if pa.types.is_map(field.type):
        return lambda values: [None if pairs is None else dict(pairs) for pairs in values.to_pylist()]
    if field.name == "facts":
        return lambda values: [tuple(map(_fact, facts or ())) for facts in values.to_pylist()]
    if field.name == "diagnoses":
        return lambda values: [tuple(Diagnosis(**each) for each in some or ()) for some in values.to_pylist()]
    if pa.types.is_list(field.type):
        return lambda values: [tuple(some or ()) for some in values.to_pylist()]
    return lambda values: values.to_pylist()


def _fact(fields: dict[str, Any]) -> FactColumn:
    return FactColumn(**{**fields, "lifts": tuple(fields["lifts"] or ())})
