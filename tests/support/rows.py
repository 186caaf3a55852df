"""Rows of the log for tests: those of example events, and any that the columns can hold."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from hypothesis import strategies as st

from pipeline.decode import DECODER_VERSION, decode
from pipeline.event import Event
from pipeline.row import Diagnosis, FactColumn, Row, to_row
from pipeline.standing import FactKind
from pipeline.timestamp import from_ms, to_ms
from tests.support.builders import OCCURRED_AT, a_bounce

ARRIVED_AT = OCCURRED_AT + timedelta(seconds=3)

FIRST_MS, LAST_MS = to_ms(datetime.min.replace(tzinfo=UTC)), to_ms(datetime.max.replace(tzinfo=UTC))


def rows_of(*payloads: bytes, arrived_at: datetime = ARRIVED_AT) -> list[Row]:
    """Return the row of every event in the payloads."""
    return list(_rows_of(payloads, arrived_at))


def a_row(payload: bytes | None = None, *, arrived_at: datetime = ARRIVED_AT, **changes: Any) -> Row:
    """Return the row of an event, a bounce if none is given; `changes` are columns."""
    (made,) = rows_of(payload or a_bounce(), arrived_at=arrived_at)
    return msgspec.structs.replace(made, **changes)


def _rows_of(payloads: Iterable[bytes], arrived_at: datetime) -> Iterator[Row]:
    for payload in payloads:
        for outcome in decode(payload):
            if isinstance(outcome, Event):
                yield to_row(outcome, arrived_at=arrived_at)


# Whatever a column can hold: every character there is, both ends of every number, empty beside null.
_text = st.text(max_size=20)
_texts = st.lists(_text, max_size=3).map(tuple)
_moment = st.integers(FIRST_MS, LAST_MS).map(from_ms)
_bigint = st.integers(-(2**63), 2**63 - 1)
_tags = st.dictionaries(_text, st.lists(_text, max_size=3), max_size=4)
_fact = st.builds(
    FactColumn,
    address=_text,
    scope=_text,
    fact=st.sampled_from([fact.value for fact in FactKind]),
    at_ms=_bigint,
    event_id=_text,
    message_id=_text,
    sub_type=_text,
    status=_text,
    diagnostic=_text,
    spelling=_text,
    lifts=_texts,
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
