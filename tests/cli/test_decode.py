"""`mailfold decode` prints one line of JSON for each record."""

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app

MAIL = {"timestamp": "2026-03-01T10:00:00.000Z", "messageId": "m-1", "destination": ["Ann <Ann@Example.com>", "nobody"]}
BOUNCE = {
    "eventType": "Bounce",
    "mail": MAIL,
    "bounce": {
        "bounceType": "Permanent",
        "bounceSubType": "General",
        "bouncedRecipients": [{"emailAddress": "Ann <Ann@Example.com>"}],
        "timestamp": "2026-03-01T10:00:02.5+01:00",
        "feedbackId": "f-1",
    },
}


def decoded(text: str) -> list[dict[str, Any]]:
    result = CliRunner().invoke(app, ["decode", "-"], input=text)
    assert result.exit_code == 0
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_an_event_is_told_in_full_and_in_this_order() -> None:
    [line] = decoded(json.dumps({"Type": "Notification", "Message": json.dumps(BOUNCE)}))
    assert list(line.items())[1:] == [
        ("kind", "bounce"),
        ("occurred_at", "2026-03-01T09:00:02.500Z"),
        ("sent_at", "2026-03-01T10:00:00.000Z"),
        ("message_id", "m-1"),
        ("recipients", ["ann@example.com"]),
        ("carrier", ["sns"]),
        ("suppresses", True),
    ]
    assert len(line["event_id"]) == 32


def test_what_cannot_be_read_is_null() -> None:
    [line] = decoded('{"eventType": "Open", "mail": {"timestamp": "yesterday"}, "open": {}}')
    assert (line["occurred_at"], line["sent_at"], line["message_id"], line["recipients"]) == (None, None, None, [])


def test_a_simulator_address_is_never_suppressed() -> None:
    bounced = {**BOUNCE["bounce"], "bouncedRecipients": [{"emailAddress": "bounce@simulator.amazonses.com"}]}  # type: ignore[dict-item]
    [line] = decoded(json.dumps({**BOUNCE, "bounce": bounced}))
    assert line["suppresses"] is False


def test_records_come_out_in_order_and_poison_among_them_is_one_error() -> None:
    lines = decoded(f'{json.dumps(BOUNCE)}\n{{"eventType":\n[]\n\n{json.dumps(BOUNCE)}\n')
    assert [next(iter(line)) for line in lines] == ["event_id", "error", "ignored", "event_id"]


def test_a_document_with_several_records_gives_a_line_for_each() -> None:
    records = [{"Sns": {"Message": json.dumps(BOUNCE)}}, {"ses": {"mail": {}}}, {"Sns": {"Message": "?"}}]
    lines = decoded(json.dumps({"Records": records}, indent=1))
    assert [next(iter(line)) for line in lines] == ["event_id", "ignored", "error"]


def test_what_is_neither_json_nor_ndjson_is_one_error() -> None:
    assert [list(line) for line in decoded("Dear all,\nplease see below.\n")] == [["error"]]


def test_nothing_gives_nothing() -> None:
    assert decoded("\n\n") == []


@pytest.mark.parametrize("arguments", [["decode", "no-such-file"], ["decode", str(Path(__file__).parent)]])
def test_a_file_that_cannot_be_read_ends_in_a_clear_sentence(arguments: list[str]) -> None:
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code != 0
    assert "cannot read" in str(result.exception)
