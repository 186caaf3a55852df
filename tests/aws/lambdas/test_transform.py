"""Firehose's transformation: one result for every record, and no record loses its bytes."""

import json
from base64 import b64decode
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.lambdas import transform as module
from pipeline.aws.lambdas.transform import RESPONSE_BYTES, handler, transform, transform_batch
from pipeline.decode import decode
from pipeline.errors import MailfoldError
from pipeline.event import Event
from pipeline.row import Row, to_row
from pipeline.timestamp import from_ms
from tests.support.builders import ADA, a_bounce, a_delivery, a_record, a_send, base64, dumped, in_sns, one_of_each
from tests.support.lambda_events import ARRIVED_MS, Context, a_firehose_event, record_id

NOW = datetime(2026, 4, 1, tzinfo=UTC)
ARRIVED_AT = from_ms(ARRIVED_MS)
POISON = b"no JSON at all"
NOT_AN_EVENT = dumped({"notificationType": "AmazonSnsSubscriptionSucceeded", "message": "ok"})


def transformed(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the response's records as Firehose gets them, in JSON."""
    records: list[dict[str, Any]] = json.loads(json.dumps(transform(event, now=NOW)))["records"]
    return records


def results(event: dict[str, Any]) -> list[str]:
    return [record["result"] for record in transformed(event)]


def rows(record: dict[str, Any]) -> list[Row]:
    lines = b64decode(record["data"], validate=True).splitlines(keepends=True)
    assert all(line.endswith(b"\n") for line in lines)
    return [msgspec.json.decode(line, type=Row) for line in lines]


def a_row(payload: bytes, *, arrived_at: datetime = ARRIVED_AT) -> Row:
    (event,) = (outcome for outcome in decode(payload) if isinstance(outcome, Event))
    return to_row(event, arrived_at=arrived_at)


@pytest.mark.parametrize("payload", one_of_each().values(), ids=one_of_each())
def test_an_event_becomes_a_row_on_a_line(payload: bytes) -> None:
    """Each of the ten types becomes its row, with the record itself in `raw`."""
    (record,) = transformed(a_firehose_event(payload + b"\n"))

    assert record["result"] == "Ok"
    assert rows(record) == [a_row(payload)]
    assert rows(record)[0].raw.encode() == payload


def test_a_row_has_the_arrival_time_of_its_record() -> None:
    """Firehose reports it to the millisecond."""
    (record,) = transformed(a_firehose_event(a_send(), arrived_ms=1_772_366_405_678))

    assert rows(record)[0].arrived_at == datetime(2026, 3, 1, 12, 0, 5, 678_000, tzinfo=UTC)


def test_a_record_without_an_arrival_time_arrives_now() -> None:
    """Emulators may leave it out."""
    (record,) = transformed(a_firehose_event(a_send(), arrived_ms=None))

    assert rows(record) == [a_row(a_send(), arrived_at=NOW)]


def test_every_record_gets_one_result_in_order() -> None:
    """A record without events or with poison does not affect its neighbours."""
    event = a_firehose_event(a_send(), NOT_AN_EVENT, POISON, "no base64!", a_bounce())

    assert [record["recordId"] for record in transformed(event)] == [record_id(index) for index in range(5)]
    assert results(event) == ["Ok", "Dropped", "ProcessingFailed", "ProcessingFailed", "Ok"]


@pytest.mark.parametrize(
    "data",
    [
        base64(POISON),
        base64(b"\xff\xfe\x00"),
        base64(dumped({"eventType": "Bounce", "mail": {}})),
        base64(b""),
        "no base64!",
        "YWJj\nYWJj",
        "é",
    ],
)
def test_poison_is_returned_unchanged(data: str) -> None:
    """Firehose then keeps its bytes under the error prefix."""
    (record,) = transformed(a_firehose_event(data))

    assert (record["result"], record["data"]) == ("ProcessingFailed", data)


def test_poison_beside_no_event_is_returned_unchanged() -> None:
    """A record that is partly poison is not dropped."""
    data = base64(b"[" + NOT_AN_EVENT + b",7]")
    (record,) = transformed(a_firehose_event(data))

    assert (record["result"], record["data"]) == ("ProcessingFailed", data)


def test_poison_beside_events_becomes_a_row() -> None:
    """Events and poison of one record are all kept."""
    poison = dumped({"eventType": "Delivery", "mail": {}})
    (record,) = transformed(a_firehose_event(b"\n".join([a_send(), poison, a_bounce(), NOT_AN_EVENT])))

    *events, last = rows(record)
    assert events == [a_row(a_send()), a_row(a_bounce())]
    assert (last.event_type, last.raw.encode()) == ("unknown", poison)
    assert last.error_message == "delivery: what happened is missing"


def test_binary_poison_beside_events_keeps_its_bytes() -> None:
    """Decoding the `raw` of its row returns them."""
    poison = b'{"eventType":"Bounce"\xff\x00'
    (record,) = transformed(a_firehose_event(a_send() + b"\n" + poison))

    _, last = rows(record)
    assert [outcome.raw for outcome in decode(last.raw.encode())] == [poison]


def test_the_id_of_poison_follows_from_its_bytes() -> None:
    """A repeated record is a repeated row, which queries can recognize."""

    def ids(*poison: bytes) -> list[str]:
        (record,) = transformed(a_firehose_event(b"\n".join([a_send(), *poison])))
        return [row.event_id for row in rows(record)[1:]]

    once, again, other = *ids(b'{"a":1}'), *ids(b'{"a":1}'), *ids(b'{"a":2}')
    assert once == again != other


def test_an_unknown_type_is_kept() -> None:
    """Its row has the kind `unknown` and the type as received."""
    payload = a_record("Telepathy", {"telepathy": {"strength": 11}})
    (record,) = transformed(a_firehose_event(payload))

    assert [(row.event_type, row.ses_type, row.raw.encode()) for row in rows(record)] == [
        ("unknown", "Telepathy", payload)
    ]


def test_an_envelope_is_unwrapped() -> None:
    """A notification in the stream becomes the row of its event."""
    (record,) = transformed(a_firehose_event(in_sns(a_bounce())))

    assert rows(record) == [a_row(a_bounce())]


def test_an_internal_error_fails_only_its_record(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its reason holds nothing of the exception, whose text may be an address."""

    def broken(event: Event, *, arrived_at: datetime) -> Row:
        if event.kind == "bounce":
            raise MailfoldError(ADA)
        return to_row(event, arrived_at=arrived_at)

    monkeypatch.setattr(module, "to_row", broken)
    result = transform_batch(a_firehose_event(a_send(), a_bounce(), a_delivery()), now=NOW)

    assert [record["result"] for record in result.response["records"]] == ["Ok", "ProcessingFailed", "Ok"]
    (reason,) = result.counts.failed
    assert reason.startswith("internal error, MailfoldError in test_transform.py, line ")
    assert ADA not in reason


@given(st.lists(st.binary(max_size=40) | st.sampled_from([a_send(), POISON, NOT_AN_EVENT]), min_size=1))
def test_any_records_get_results(payloads: list[bytes]) -> None:
    """Each record is transformed, dropped or returned unchanged, whatever it holds."""
    event = a_firehose_event(*payloads)

    assert [record["recordId"] for record in transformed(event)] == [record["recordId"] for record in event["records"]]
    for after, before in zip(transformed(event), event["records"], strict=True):
        assert after["result"] != "ProcessingFailed" or after["data"] == before["data"]
        assert after["result"] != "Ok" or rows(after)


# Size.


def a_large_send(size_bytes: int) -> bytes:
    return a_send(filler='"' * (size_bytes // 2))


def test_rows_that_do_not_fit_are_returned_unchanged() -> None:
    """Quotes are escaped again in `raw`, so these rows grow twofold. Other records are transformed."""
    event = a_firehose_event(*[a_large_send(700_000)] * 4, a_bounce())
    response = transform(event, now=NOW)

    assert results(event) == ["Ok", "Ok", "ProcessingFailed", "ProcessingFailed", "Ok"]
    assert response["records"][3]["data"] == event["records"][3]["data"]
    assert len(json.dumps(response)) <= RESPONSE_BYTES


@pytest.mark.parametrize("payload", [a_send(), a_bounce()], ids=["send", "bounce"])
def test_a_default_batch_fits_into_lambdas_response(payload: bytes) -> None:
    """Firehose buffers 1 MB by default."""
    event = a_firehose_event(*[payload] * (1_000_000 // len(payload)))

    assert len(json.dumps(transform(event, now=NOW))) < RESPONSE_BYTES
    assert set(results(event)) == {"Ok"}


# The handler.


def test_the_handler_responds_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """Its response is that of `transform`, and its metrics count rows, dropped and failed records."""
    event = a_firehose_event(a_send(), a_send(), a_bounce(), NOT_AN_EVENT, POISON)

    assert handler(event, Context()) == transform(event, now=NOW)

    counts = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert counts["service"] == "transform"
    assert counts["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Mailfold"
    assert {name: sum(counts[name]) for name in ("SendEvents", "BounceEvents", "Dropped", "Failed")} == {
        "SendEvents": 2,
        "BounceEvents": 1,
        "Dropped": 1,
        "Failed": 1,
    }


def test_log_and_metrics_hold_nothing_of_a_payload(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    """Reasons are counted, and no address is logged, not even in base64."""
    event = a_firehose_event(a_bounce(), dumped({"eventType": "Bounce", "mail": {"destination": [ADA]}}), ADA.encode())
    handler(event, Context())

    (logged,) = [vars(record) for record in caplog.records if record.name == "transform"]
    assert sum(logged["reasons"].values()) == 2
    output = f"{logged} {capsys.readouterr().out}"
    assert ADA not in output
    assert base64(ADA.encode()) not in output
