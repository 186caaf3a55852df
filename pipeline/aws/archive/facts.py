"""The facts in a file of the log, without reading more of it than they need.

A row group whose statistics say that it holds no feedback is not read at all; of the others the facts' own columns
are. They become findings a column at a time, not a row at a time: that is what makes a replay cheap. `raw` is read
only where another decoder wrote the rows, since those are decoded again, feedback or not.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import repeat
from typing import Any

import pyarrow.compute as pc

from pipeline.aws.archive.parquet import arrived_between
from pipeline.decode import DECODER_VERSION, decode
from pipeline.event import Event
from pipeline.fact import Fact, facts
from pipeline.ports import FactScan
from pipeline.standing import Evidence, FactKind, Key

ROWS_PER_SCAN = 65_536
ROWS_DECODED_AGAIN = 4_096  # about 8 MB of raw text

_COLUMNS = ("facts", "decoder_version")
_FIELDS = (
    "address",
    "scope",
    "fact",
    "at_ms",
    "event_id",
    "message_id",
    "sub_type",
    "status",
    "diagnostic",
    "spelling",
)
_FACTS = {fact.value: fact for fact in FactKind}


def scans(file: Any, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[FactScan]:
    """Give the facts in those rows of a file that arrived from `since` up to, not including, `until`.

    Args:
        file: From `parquet.opened`.
        since: None: from the first row.
        until: None: to the last row.
    """
    bounds = ["arrived_at"] if since or until else []
    indices = _indices(file)
    for group in range(file.num_row_groups):
        metadata = file.metadata.row_group(group)
        is_current = _is_all(DECODER_VERSION, metadata.column(indices["decoder_version"]))
        is_idle = is_current and _is_all(False, metadata.column(indices["is_feedback"]))
        names = [*bounds] if is_idle else [*bounds, *_COLUMNS] if is_current else [*bounds, *_COLUMNS, "raw"]
        if not names:
            yield FactScan(rows=metadata.num_rows, facts=())
            continue
        size = ROWS_PER_SCAN if is_current else ROWS_DECODED_AGAIN
        for batch in file.iter_batches(size, row_groups=[group], columns=names, use_threads=False):
            rows = arrived_between(batch, since, until)
            yield FactScan(rows=rows.num_rows, facts=() if is_idle else _findings(rows))


def _indices(file: Any) -> dict[str, int]:
    """Return where each column is, by its path in the file."""
    schema = file.metadata.schema
    return {schema.column(index).path: index for index in range(file.metadata.num_columns)}


def _is_all(value: object, column: Any) -> bool:
    """Tell whether a row group's statistics say that a column has this value in every row."""
    known = column.statistics
    return known is not None and known.has_min_max and known.min == known.max == value


def _findings(rows: Any) -> Sequence[Fact]:
    if "raw" not in rows.schema.names:
        return _as_decided(rows)
    current = pc.equal(rows.column("decoder_version"), DECODER_VERSION)
    found = _as_decided(rows.filter(current))
    for raw in rows.filter(pc.invert(current)).column("raw").to_pylist():
        for outcome in decode(raw.encode()):
            if isinstance(outcome, Event):
                found.extend(facts(outcome))
    return found


def _as_decided(rows: Any) -> list[Fact]:
    """Return what `row.finding` makes of each fact; all of them at once."""
    facts = pc.list_flatten(rows.column("facts"))
    address, scope, fact, *own = (pc.struct_field(facts, name).to_pylist() for name in _FIELDS)
    evidence = [
        Evidence(
            at_ms=at_ms,
            event_id=event_id,
            message_id=message_id,
            sub_type=sub_type,
            status=status,
            diagnostic=diagnostic,
            spelling=spelling,
            lifts=lifts,
        )
        for lifts, at_ms, event_id, message_id, sub_type, status, diagnostic, spelling in zip(
            _lifts(pc.struct_field(facts, "lifts")), *own, strict=True
        )
    ]
    return list(map(Fact, map(Key, address, scope), map(_FACTS.__getitem__, fact), evidence))


def _lifts(lists: Any) -> Iterator[tuple[str, ...]]:
    """Give each fact's lifts; hardly any has some, so that is looked at first."""
    if not len(pc.list_flatten(lists)):
        return repeat((), len(lists))
    return (tuple(lifts or ()) for lifts in lists.to_pylist())
