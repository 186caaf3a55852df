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

from pipeline.aws.arrow import arrived_between
from pipeline.decode import DECODER_VERSION, decode
from pipeline.event import Event
from pipeline.fact import Finding, findings
from pipeline.ports import Scan
from pipeline.standing import Evidence, Fact, Key

ROWS_PER_SCAN = 65_536
ROWS_DECODED_AGAIN = 4_096  # about 8 MB of raw text

_COLUMNS = ("event_id", "facts", "decoder_version")
_CURRENT = (DECODER_VERSION, DECODER_VERSION)
_NO_FEEDBACK = (False, False)
_FACTS = {fact.value: fact for fact in Fact}


def scans(file: Any, *, since: datetime | None = None, until: datetime | None = None) -> Iterator[Scan]:
    """Give the facts in those rows of a file that arrived from `since` up to, not including, `until`.

    Args:
        file: From `parquet.opened`.
        since: None: from the first row.
        until: None: to the last row.
    """
    bounded = since is not None or until is not None
    indices = _indices(file)
    for group in range(file.num_row_groups):
        metadata = file.metadata.row_group(group)
        current = _range(metadata, indices["decoder_version"]) == _CURRENT
        needed = [] if current and _range(metadata, indices["is_feedback"]) == _NO_FEEDBACK else list(_COLUMNS)
        if needed and not current:
            needed.append("raw")
        if bounded:
            needed.append("arrived_at")
        if not needed:
            yield Scan(rows=metadata.num_rows, findings=())
            continue
        for batch in file.iter_batches(
            ROWS_PER_SCAN if current else ROWS_DECODED_AGAIN, row_groups=[group], columns=needed, use_threads=False
        ):
            rows = arrived_between(batch, since, until) if bounded else batch
            yield Scan(rows=rows.num_rows, findings=_findings(rows) if "facts" in needed else ())


def _indices(file: Any) -> dict[str, int]:
    """Return where each column is, by its path in the file."""
    schema = file.metadata.schema
    return {schema.column(index).path: index for index in range(file.metadata.num_columns)}


def _range(metadata: Any, index: int) -> tuple[Any, Any] | None:
    """Return the least and the greatest value that a column has in a row group; None if the file does not say."""
    known = metadata.column(index).statistics
    return (known.min, known.max) if known is not None and known.has_min_max else None


def _findings(rows: Any) -> Sequence[Finding]:
    current = pc.equal(rows.column("decoder_version"), DECODER_VERSION)
    found = _as_decided(rows.filter(current))
    if "raw" in rows.schema.names:
        for raw in rows.filter(pc.invert(current)).column("raw").to_pylist():
            for outcome in decode(raw.encode()):
                if isinstance(outcome, Event):
                    found.extend(findings(outcome))
    return found


def _as_decided(rows: Any) -> list[Finding]:
    """Return what `row.finding` makes of each fact; all of them at once."""
    lists = rows.column("facts")
    facts = pc.list_flatten(lists)
    event_ids = rows.column("event_id").take(pc.list_parent_indices(lists))

    def values(name: str) -> list[Any]:
        return pc.struct_field(facts, name).to_pylist()  # type: ignore[no-any-return]

    return [
        Finding(
            Key(address, scope),
            _FACTS[fact],
            Evidence(
                at_ms=at_ms,
                event_id=event_id,
                message_id=message_id,
                sub_type=sub_type,
                status=status,
                diagnostic=diagnostic,
                spelling=spelling,
                lifts=lifts,
            ),
        )
        for address, scope, fact, at_ms, event_id, message_id, sub_type, status, diagnostic, spelling, lifts in zip(
            values("address"),
            values("scope"),
            values("fact"),
            values("at_ms"),
            event_ids.to_pylist(),
            values("message_id"),
            values("sub_type"),
            values("status"),
            values("diagnostic"),
            values("spelling"),
            _lifts(pc.struct_field(facts, "lifts")),
            strict=False,
        )
    ]


def _lifts(lists: Any) -> Iterator[tuple[str, ...]]:
    """Give each fact's lifts; hardly any has some, so that is looked at first."""
    if not len(pc.list_flatten(lists)):
        return repeat((), len(lists))
    return (tuple(lifts or ()) for lifts in lists.to_pylist())
