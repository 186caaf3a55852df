"""The facts in a Parquet file of the event log, without reading more of the file than they need.

A row group without feedback, by its statistics, is skipped. From the others only the columns of the facts are read,
and converted a column at a time instead of a row at a time: this is what makes a replay cheap. `raw` is read only for
rows of another decoder version, because those are decoded again, feedback or not.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from itertools import repeat
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from pipeline.aws.archive.parquet import TIME_COLUMNS, between
from pipeline.decode import DECODER_VERSION, decode
from pipeline.event import Event
from pipeline.fact import Fact, facts
from pipeline.ports import EventScan, FactScan
from pipeline.standing import Evidence, FactKind, Key

ROWS_PER_SCAN = 65_536
ROWS_PER_DECODING_SCAN = 4_096  # about 8 MB of raw text

FACT_COLUMNS = ("facts", "decoder_version")
_KINDS = {kind.value: kind for kind in FactKind}


def scan_facts(file: Any, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[FactScan]:
    """Yield the facts in the rows of a file with an event time from `since` up to, but not including, `until`.

    Args:
        file: From `parquet.open_parquet`.
        since: The first event time; None for all rows before `until`.
        until: The end of the event times; None for all rows on.
    """
    bounds = list(TIME_COLUMNS) if since or until else []
    indices = _column_indices(file)
    for group in range(file.num_row_groups):
        metadata = file.metadata.row_group(group)
        is_current = _is_constant(metadata.column(indices["decoder_version"]), DECODER_VERSION)
        has_no_facts = is_current and _is_constant(metadata.column(indices["is_feedback"]), value=False)
        names = bounds if has_no_facts else [*bounds, *FACT_COLUMNS, *([] if is_current else ["raw"])]
        if not names:
            yield FactScan(rows=metadata.num_rows, facts=())
            continue
        size = ROWS_PER_SCAN if is_current else ROWS_PER_DECODING_SCAN
        for batch in file.iter_batches(size, row_groups=[group], columns=names, use_threads=False):
            rows = between(batch, since, until)
            yield FactScan(rows=rows.num_rows, facts=() if has_no_facts else _facts(rows))


def scan_events(file: Any, ids: frozenset[str]) -> Iterator[EventScan]:
    """Yield which of these events are in a file, by id, and the facts in its rows.

    Args:
        file: From `parquet.open_parquet`.
        ids: The ids of the events, as this decoder or an earlier one gave them.
    """
    wanted = pa.array(sorted(ids), pa.string())
    for batch in file.iter_batches(ROWS_PER_SCAN, columns=["event_id"], use_threads=False):
        found = pc.filter(batch.column(0), pc.is_in(batch.column(0), value_set=wanted))
        yield EventScan(ids=frozenset(found.to_pylist()), facts=())
    for scan in scan_facts(file):
        yield EventScan(ids=ids & {fact.evidence.event_id for fact in scan.facts}, facts=scan.facts)


def _column_indices(file: Any) -> dict[str, int]:
    """Return the index of each column, by its path in the file."""
    schema = file.metadata.schema
    return {schema.column(index).path: index for index in range(file.metadata.num_columns)}


def _is_constant(column: Any, value: object) -> bool:
    """Return True if a row group's statistics prove that a column has this value in every row."""
    statistics = column.statistics
    return statistics is not None and statistics.has_min_max and statistics.min == statistics.max == value


def _facts(rows: Any) -> Sequence[Fact]:
    """Return the facts of rows: as stored, or decoded from `raw` for rows of another decoder version."""
    if "raw" not in rows.schema.names:
        return _stored_facts(rows)
    is_current = pc.equal(rows.column("decoder_version"), DECODER_VERSION)
    found_facts = _stored_facts(rows.filter(is_current))
    for raw in rows.filter(pc.invert(is_current)).column("raw").to_pylist():
        for outcome in decode(raw.encode()):
            if isinstance(outcome, Event):
                found_facts.extend(facts(outcome))
    return found_facts


def _stored_facts(rows: Any) -> list[Fact]:
    """Return what `row.to_fact` returns for each stored fact, for all of them at once."""
    structs = pc.list_flatten(rows.column("facts"))
    addresses, scopes, kinds = (pc.struct_field(structs, name).to_pylist() for name in ("address", "scope", "fact"))
    evidence = map(Evidence, *(_values(pc.struct_field(structs, name)) for name in Evidence.__struct_fields__))
    return list(map(Fact, map(Key, addresses, scopes), map(_KINDS.__getitem__, kinds), evidence))


def _values(column: Any) -> Iterable[Any]:
    """Return the Python values of a column, lists as tuples. Almost every list is empty, so test that first."""
    if not pa.types.is_list(column.type):
        values: list[Any] = column.to_pylist()
        return values
    if not len(pc.list_flatten(column)):
        return repeat((), len(column))
    return (tuple(items or ()) for items in column.to_pylist())
