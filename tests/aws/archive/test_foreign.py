"""Parquet archives of other programs: every row is read as the record that it was made from."""

import io
import json
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipeline.aws.archive.foreign import parquet_payloads
from pipeline.aws.archive.parquet import encode_rows
from pipeline.cli.sources import payloads
from pipeline.decode import decode
from pipeline.errors import UsageError
from pipeline.event import Event
from tests.support.builders import ADA, SENT_AT, a_bounce, a_complaint, a_delivery, in_sns
from tests.support.rows import a_row
from tests.support.scenario import an_event

RECORDS = [a_bounce(), a_complaint(feedback_id="f2", tags={"campaign": ["a"]}), a_delivery()]


def lower(value: Any) -> Any:
    """Return a record with its keys in lower case, as Glue's tables have them."""
    match value:
        case dict():
            return {name.lower(): lower(item) for name, item in value.items()}
        case list():
            return [lower(item) for item in value]
    return value


def a_file(rows: list[dict[str, Any]], **types: Any) -> io.BytesIO:
    """Return a Parquet file of rows, which need not have the same columns."""
    names = dict.fromkeys(name for row in rows for name in row)
    columns = {name: pa.array([row.get(name) for row in rows], types.get(name)) for name in names}
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return io.BytesIO(sink.getvalue())


def no_s3(_: str) -> Any:
    """Fail if a local file is looked for in S3."""
    raise AssertionError


def ids_in(file: io.BytesIO) -> list[str]:
    """Return the ids of the events in a file."""
    outcomes = [outcome for payload in parquet_payloads(file) for outcome in decode(payload)]
    assert all(isinstance(outcome, Event) for outcome in outcomes)
    return [outcome.id for outcome in outcomes if isinstance(outcome, Event)]


EXPECTED = [an_event(record).id for record in RECORDS]


def test_nested_columns_in_lower_case_are_records() -> None:
    """A column that is null in a row is not a part of its record."""
    assert ids_in(a_file([lower(json.loads(record)) for record in RECORDS])) == EXPECTED


@pytest.mark.parametrize("column", ["rawevent", "raw", "Message"])
def test_a_column_with_the_text_of_a_record_is_read(column: str) -> None:
    """The other columns of such an archive are derived from it."""
    rows = [{"type": "x", column: record.decode(), "tags": [("a", "b")]} for record in RECORDS]
    assert ids_in(a_file(rows)) == EXPECTED
    assert ids_in(a_file([{column: in_sns(record).decode()} for record in RECORDS])) == EXPECTED


def test_an_object_of_the_own_log_is_read() -> None:
    """Its rows are decoded again from their raw text."""
    file = io.BytesIO(encode_rows([a_row(record) for record in RECORDS], sort=False))
    assert ids_in(file) == EXPECTED


def test_events_of_pinpoint_are_records() -> None:
    """Its event stream has the record in nested columns, with times as numbers and attributes as a map."""
    mail = {"message_id": "m", "destination": ["ada@example.com"], "message_send_timestamp": 1_772_366_400_000}
    bounce = {"bounce_type": "Permanent", "bounced_recipients": [{"email_address": "ada@example.com"}]}
    facets = {"email_channel": {"mail_event": {"mail": mail, "bounce": bounce}}}
    row = {"event_type": "_email.hardbounce", "event_timestamp": SENT_AT, "attributes": [("a", "b")], "facets": facets}
    [payload] = parquet_payloads(a_file([row], attributes=pa.map_(pa.string(), pa.string())))
    event = an_event(payload)
    assert (event.kind, event.message_id, event.sent_at) == ("bounce", "m", SENT_AT)
    assert event.recipients == (ADA,)


@pytest.mark.parametrize("data", [b"PAR1", b"PAR1 no footer PAR1", encode_rows([a_row()])[:-50]])
def test_a_damaged_file_is_reported(data: bytes) -> None:
    """The caller names the file."""
    with pytest.raises(UsageError, match="damaged"):
        list(parquet_payloads(io.BytesIO(data)))


def test_a_parquet_file_is_a_source_like_any_other(tmp_path: Any) -> None:
    """The number of a row takes the place of a line."""
    file = tmp_path / "archive"
    file.write_bytes(a_file([lower(json.loads(record)) for record in RECORDS]).getvalue())
    found = [(payload.line, an_event(payload.data).id) for payload in payloads(str(file), open_uri=no_s3)]
    assert found == list(enumerate(EXPECTED, 1))
