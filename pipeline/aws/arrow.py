"""Rows of the log as Arrow tables, and back."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from itertools import islice
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from msgspec.structs import astuple

from pipeline.aws.column import column
from pipeline.aws.schema import arrow_schema
from pipeline.columns import Diagnosis
from pipeline.row import FactColumn, Row
from pipeline.timestamp import from_ms

# So few rows stay in the processor's cache, and below the number of objects that starts Python's garbage collector.
ROWS_TURNED = 48

_MOMENT = pa.timestamp("us", "UTC")  # a bound may be finer than the log's milliseconds

# The raw texts of one mail's events repeat most of each other, and compress together.
ORDER = (("is_feedback", "descending"), ("message_id", "ascending"), ("event_id", "ascending"))


def to_table(rows: Iterable[Row], *, sort: bool = False) -> Any:
    """Return rows as an Arrow table of `schema.arrow_schema`; every empty list is null.

    Args:
        rows: Let go as they are taken: given one by one they are never all held.
        sort: Feedback first, and then by mail. False: in the order given.
    """
    schema = arrow_schema()
    columns = {field.name: column(field) for field in schema}
    tuples = map(astuple, rows)
    while some := list(islice(tuples, ROWS_TURNED)):
        for each, values in zip(columns.values(), zip(*some, strict=True), strict=True):
            each.add(values)
    order = pc.sort_indices(pa.table({key: columns[key].array() for key, _ in ORDER}), ORDER) if sort else None
    return pa.Table.from_arrays([each.array(order) for each in columns.values()], schema=schema)


def to_rows(table: Any) -> list[Row]:
    """Return a table as rows, in its order; columns that it lacks are empty, those that the log lacks are left out."""
    fields = [field for field in arrow_schema() if field.name in table.schema.names]
    names = [field.name for field in fields]
    columns = [_reader(field)(table.column(field.name).cast(field.type)) for field in fields]
    return [Row(**dict(zip(names, values, strict=True))) for values in zip(*columns, strict=True)]


def arrived_between(rows: Any, since: datetime | None, until: datetime | None) -> Any:
    """Return those rows of a table or batch that arrived from `since` up to, not including, `until`."""
    if since is not None:
        rows = rows.filter(pc.greater_equal(_arrived_at(rows), pa.scalar(since, _MOMENT)))
    if until is not None:
        rows = rows.filter(pc.less(_arrived_at(rows), pa.scalar(until, _MOMENT)))
    return rows


def _arrived_at(rows: Any) -> Any:
    return rows.column("arrived_at").cast(_MOMENT)


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
