"""Rows of the log for tests: rows of example events, and strategies for any row that the columns can hold."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from pipeline.decode import DECODER_VERSION, decode
from pipeline.event import Event
from pipeline.row import Diagnosis, FactColumn, Row, to_row
from pipeline.standing import Evidence, FactKind
from pipeline.timestamp import from_ms, to_ms
from tests.support.builders import OCCURRED_AT, a_bounce

ARRIVED_AT = OCCURRED_AT + timedelta(seconds=3)

FIRST_MS, LAST_MS = to_ms(datetime.min.replace(tzinfo=UTC)), to_ms(datetime.max.replace(tzinfo=UTC))


def rows_of(*payloads: bytes, arrived_at: datetime = ARRIVED_AT) -> list[Row]:
    """Return the row of every event in the payloads."""
    outcomes = [outcome for payload in payloads for outcome in decode(payload)]
    return [to_row(event, arrived_at=arrived_at) for event in outcomes if isinstance(event, Event)]


def a_row(payload: bytes | None = None, *, arrived_at: datetime = ARRIVED_AT, **changes: Any) -> Row:
    """Return the row of an event, by default of a bounce; `changes` replace columns."""
    (row,) = rows_of(payload or a_bounce(), arrived_at=arrived_at)
    return msgspec.structs.replace(row, **changes)


# Any value that a column can hold: every character, both ends of every number, empty values and null.
_text = st.text(max_size=20)
_texts = st.lists(_text, max_size=3).map(tuple)
_moment = st.integers(FIRST_MS, LAST_MS).map(from_ms)
_bigint = st.integers(-(2**63), 2**63 - 1)
_tags = st.dictionaries(_text, st.lists(_text, max_size=3), max_size=4)
_OF_EVIDENCE: dict[Any, st.SearchStrategy[Any]] = {int: _bigint, str: _text, tuple[str, ...]: _texts}
_fact = st.builds(
    FactColumn,
    address=_text,
    scope=_text,
    fact=st.sampled_from([kind.value for kind in FactKind]),
    **{field.name: _OF_EVIDENCE[field.type] for field in msgspec.structs.fields(Evidence)},
)
_diagnosis = st.builds(
    Diagnosis,
    address=st.none() | _text,
    action=st.none() | _text,
    status=st.none() | _text,
    diagnostic=st.none() | _text,
)
_OF_TYPE: dict[Any, st.SearchStrategy[Any]] = {
    str: _text,
    str | None: st.none() | _text,
    bool: st.booleans(),
    bool | None: st.none() | st.booleans(),
    int: st.sampled_from([DECODER_VERSION, DECODER_VERSION - 1, 2**31 - 1]),
    int | None: st.none() | _bigint,
    datetime: _moment,
    datetime | None: st.none() | _moment,
    tuple[str, ...]: _texts,
    Mapping[str, list[str]] | None: st.none() | _tags,
    tuple[Diagnosis, ...]: st.lists(_diagnosis, max_size=3).map(tuple),
    tuple[FactColumn, ...]: st.lists(_fact, max_size=3).map(tuple),
}
any_row: st.SearchStrategy[Row] = st.builds(
    Row, **{field.name: _OF_TYPE[field.type] for field in msgspec.structs.fields(Row)}
).map(lambda row: row if row.is_feedback else msgspec.structs.replace(row, facts=()))
any_rows = st.lists(any_row, max_size=4)
