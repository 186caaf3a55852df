"""Firehose's transformation: one answer for every record, and no record without its bytes."""

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


def answers(event: dict[str, Any]) -> list[dict[str, Any]]:
    """Return Firehose's answers, after what Lambda does to them on the way."""
    records: list[dict[str, Any]] = json.loads(json.dumps(transform(event, now=NOW)))["records"]
    return records


def results(event: dict[str, Any]) -> list[str]:
    return [answer["result"] for answer in answers(event)]


def rows(answer: dict[str, Any]) -> list[Row]:
    lines = b64decode(answer["data"], validate=True).splitlines(keepends=True)
    assert all(line.endswith(b"\n") for line in lines)
    return [msgspec.json.decode(line, type=Row) for line in lines]


def a_row(payload: bytes, *, arrived_at: datetime = ARRIVED_AT) -> Row:
    (event,) = (outcome for outcome in decode(payload) if isinstance(outcome, Event))
    return to_row(event, arrived_at=arrived_at)


@pytest.mark.parametrize("payload", one_of_each().values(), ids=one_of_each())
def test_an_event_of_any_type_becomes_its_row_on_a_line(payload: bytes) -> None:
    (answer,) = answers(a_firehose_event(payload + b"\n"))

    assert answer["result"] == "Ok"
    assert rows(answer) == [a_row(payload)]
    assert rows(answer)[0].raw.encode() == payload


def test_a_row_says_when_firehose_got_the_record_to_the_millisecond() -> None:
    (answer,) = answers(a_firehose_event(a_send(), arrived_ms=1_772_366_405_678))

    assert rows(answer)[0].arrived_at == datetime(2026, 3, 1, 12, 0, 5, 678_000, tzinfo=UTC)


def test_a_record_that_does_not_say_when_it_came_came_now() -> None:
    (answer,) = answers(a_firehose_event(a_send(), arrived_ms=None))

    assert rows(answer) == [a_row(a_send(), arrived_at=NOW)]


def test_every_record_gets_one_answer_in_order_whatever_the_others_are() -> None:
    event = a_firehose_event(a_send(), NOT_AN_EVENT, POISON, "no base64!", a_bounce())

    assert [answer["recordId"] for answer in answers(event)] == [record_id(index) for index in range(5)]
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
def test_poison_is_given_back_as_it_came(data: str) -> None:
    (answer,) = answers(a_firehose_event(data))

    assert (answer["result"], answer["data"]) == ("ProcessingFailed", data)


def test_poison_among_what_is_no_event_is_given_back_too() -> None:
    data = base64(b"[" + NOT_AN_EVENT + b",7]")
    (answer,) = answers(a_firehose_event(data))

    assert (answer["result"], answer["data"]) == ("ProcessingFailed", data)


def test_of_events_and_poison_in_one_record_neither_is_lost() -> None:
    poison = dumped({"eventType": "Delivery", "mail": {}})
    (answer,) = answers(a_firehose_event(b"\n".join([a_send(), poison, a_bounce(), NOT_AN_EVENT])))

    *events, last = rows(answer)
    assert events == [a_row(a_send()), a_row(a_bounce())]
    assert (last.event_type, last.raw.encode()) == ("unknown", poison)
    assert last.error_message == "delivery: what happened is missing"


def test_poison_among_events_that_is_no_text_keeps_its_bytes() -> None:
    """Decoding what its row holds gives them back."""
    poison = b'{"eventType":"Bounce"\xff\x00'
    (answer,) = answers(a_firehose_event(a_send() + b"\n" + poison))

    _, last = rows(answer)
    assert [outcome.raw for outcome in decode(last.raw.encode())] == [poison]


def test_the_same_poison_again_has_the_same_id_and_other_poison_another() -> None:
    def ids(*poison: bytes) -> list[str]:
        (answer,) = answers(a_firehose_event(b"\n".join([a_send(), *poison])))
        return [one.event_id for one in rows(answer)[1:]]

    once, again, other = *ids(b'{"a":1}'), *ids(b'{"a":1}'), *ids(b'{"a":2}')
    assert once == again != other


def test_a_type_that_nobody_knows_is_kept() -> None:
    payload = a_record("Telepathy", {"telepathy": {"strength": 11}})
    (answer,) = answers(a_firehose_event(payload))

    assert [(one.event_type, one.ses_type, one.raw.encode()) for one in rows(answer)] == [
        ("unknown", "Telepathy", payload)
    ]


def test_a_carrier_is_unwrapped() -> None:
    (answer,) = answers(a_firehose_event(in_sns(a_bounce())))

    assert rows(answer) == [a_row(a_bounce())]


def test_an_error_of_ours_fails_its_own_record_only(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its reason holds nothing that the error says: that may be an address."""

    def broken(event: Event, *, arrived_at: datetime) -> Row:
        if event.kind == "bounce":
            raise MailfoldError(ADA)
        return to_row(event, arrived_at=arrived_at)

    monkeypatch.setattr(module, "to_row", broken)
    done = transform_batch(a_firehose_event(a_send(), a_bounce(), a_delivery()), now=NOW)

    assert [answer["result"] for answer in done.response["records"]] == ["Ok", "ProcessingFailed", "Ok"]
    (reason,) = done.tally.failed
    assert reason.startswith("internal error, MailfoldError in test_transform.py, line ")
    assert ADA not in reason


@given(st.lists(st.binary(max_size=40) | st.sampled_from([a_send(), POISON, NOT_AN_EVENT]), min_size=1))
def test_whatever_firehose_holds_is_answered(payloads: list[bytes]) -> None:
    event = a_firehose_event(*payloads)

    assert [answer["recordId"] for answer in answers(event)] == [one["recordId"] for one in event["records"]]
    for answer, record in zip(answers(event), event["records"], strict=True):
        assert answer["result"] != "ProcessingFailed" or answer["data"] == record["data"]
        assert answer["result"] != "Ok" or rows(answer)


# Size.


def a_large_send(size_bytes: int) -> bytes:
    return a_send(headers=[{"name": "X-Filler", "value": '"' * (size_bytes // 2)}])


def test_what_does_not_fit_into_lambdas_answer_is_given_back_and_the_rest_is_not_held_up() -> None:
    """Quotes are escaped once more in `raw`, so that these grow twofold."""
    event = a_firehose_event(*[a_large_send(700_000)] * 4, a_bounce())
    response = transform(event, now=NOW)

    assert results(event) == ["Ok", "Ok", "ProcessingFailed", "ProcessingFailed", "Ok"]
    assert response["records"][3]["data"] == event["records"][3]["data"]
    assert len(json.dumps(response)) <= RESPONSE_BYTES


@pytest.mark.parametrize("payload", [a_send(), a_bounce()], ids=["send", "bounce"])
def test_a_usual_batch_of_firehose_s_default_size_is_far_from_lambdas_limit(payload: bytes) -> None:
    """1 MB of records."""
    event = a_firehose_event(*[payload] * (1_000_000 // len(payload)))

    assert len(json.dumps(transform(event, now=NOW))) < RESPONSE_BYTES
    assert set(results(event)) == {"Ok"}


# The handler.


def test_the_handler_answers_as_transform_does_and_counts(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_neither_log_nor_counts_hold_anything_of_a_payload(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    event = a_firehose_event(a_bounce(), dumped({"eventType": "Bounce", "mail": {"destination": [ADA]}}), ADA.encode())
    handler(event, Context())

    (logged,) = [vars(record) for record in caplog.records if record.name == "transform"]
    assert sum(logged["reasons"].values()) == 2
    told = f"{logged} {capsys.readouterr().out}"
    assert ADA not in told
    assert base64(ADA.encode()) not in told
