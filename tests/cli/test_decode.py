"""`mailfold decode` prints one line of JSON for each record in a payload."""

import gzip
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import ROOT, json_lines, run, run_failing, run_ok

EXAMPLES = ROOT / "schemas" / "wire" / "examples"
EXPECTED: dict[str, list[dict[str, Any]]] = json.loads((EXAMPLES / "expected.json").read_bytes())

MAIL = {
    "timestamp": "2026-03-01T10:00:00.000Z",
    "messageId": "m-1",
    "destination": ["Ann <Ann@Example.com>", "no-address"],
}
BOUNCE: dict[str, Any] = {
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


def decoded(text: str, *, exit_code: int = 0) -> list[dict[str, Any]]:
    result = run("decode", "-", stdin=text)
    assert result.exit_code == exit_code
    return [json.loads(line) for line in result.stdout.splitlines()]


def a_send(message_id: str) -> str:
    return json.dumps({"eventType": "Send", "mail": {**MAIL, "messageId": message_id}})


def ids(lines: list[dict[str, Any]]) -> list[str]:
    return [line["message_id"] for line in lines]


@pytest.mark.parametrize("name", EXPECTED)
def test_every_example_is_decoded_as_expected(name: str) -> None:
    """Each example yields the expected lines, and each event has an id of 32 hex digits.

    The exit code is 1 if a record cannot be read, or has a recipient that is not an address.
    """
    result = run("decode", str(EXAMPLES / name))
    lines = [json.loads(line) for line in result.stdout.splitlines()]
    is_incomplete = any("error" in line or "unusable_recipients" in line for line in lines)
    assert result.exit_code == (1 if is_incomplete else 0)
    for line, expected in zip(lines, EXPECTED[name], strict=True):
        if "kind" in expected:
            assert re.fullmatch("[0-9a-f]{32}", line.pop("event_id"))
            line["facts"] = [f"{fact['fact']} {fact['address']} {fact['scope']}" for fact in line["facts"]]
        assert expected.items() <= line.items()


def test_unusable_recipients_are_shown_as_received() -> None:
    """Their event is decoded, and the exit code is 1."""
    recipients = [{"emailAddress": text} for text in ("ann@example.com", "a@b@example.com", "Bob <bob@example.com>, ?")]
    [line] = decoded(
        json.dumps({**BOUNCE, "bounce": {**BOUNCE["bounce"], "bouncedRecipients": recipients}}), exit_code=1
    )
    assert line["recipients"] == ["ann@example.com", "bob@example.com"]
    assert line["unusable_recipients"] == ["a@b@example.com", "Bob <bob@example.com>, ?"]


def test_a_type_that_is_not_known_is_marked() -> None:
    """Its event is kept and suppresses nothing."""
    [line] = decoded(json.dumps({**BOUNCE, "bounce": {**BOUNCE["bounce"], "bounceSubType": "BrandNew"}}))
    assert (line["unrecognized"], line["suppresses"], line["facts"]) == (True, False, [])


def test_an_event_has_all_keys_in_this_order() -> None:
    """The keys of an event's line and their order are stable, because programs and people read them."""
    [line] = decoded(json.dumps({"Type": "Notification", "Message": json.dumps(BOUNCE)}))
    assert list(line.items())[1:] == [
        ("kind", "bounce"),
        ("occurred_at", "2026-03-01T09:00:02.500Z"),
        ("sent_at", "2026-03-01T10:00:00.000Z"),
        ("message_id", "m-1"),
        ("recipients", ["ann@example.com"]),
        ("envelopes", ["sns"]),
        ("facts", [{"address": "ann@example.com", "scope": "*", "fact": "hard"}]),
        ("suppresses", True),
    ]
    assert next(iter(line)) == "event_id"


def test_an_unreadable_field_is_null() -> None:
    """A field that is missing or malformed is null or an empty list, and the event is still printed."""
    [line] = decoded('{"eventType": "Open", "mail": {"timestamp": "yesterday"}, "open": {}}')
    assert (line["occurred_at"], line["sent_at"], line["message_id"], line["recipients"]) == (None, None, None, [])


def test_a_simulator_address_is_never_suppressed() -> None:
    """A bounce of SES's mailbox simulator suppresses nothing."""
    bounced = {**BOUNCE["bounce"], "bouncedRecipients": [{"emailAddress": "bounce@simulator.amazonses.com"}]}
    [line] = decoded(json.dumps({**BOUNCE, "bounce": bounced}))
    assert line["suppresses"] is False


def test_lines_keep_their_order_and_poison_is_one_error() -> None:
    """A broken line becomes one error line in its place, and the lines around it are decoded."""
    lines = decoded(f'{json.dumps(BOUNCE)}\n{{"eventType":\n[]\n\n{json.dumps(BOUNCE)}\n', exit_code=1)
    assert [next(iter(line)) for line in lines] == ["event_id", "error", "ignored", "event_id"]


def test_each_record_of_a_document_yields_a_line() -> None:
    """A document with several records yields a line for each, in order."""
    records = [{"Sns": {"Message": json.dumps(BOUNCE)}}, {"ses": {"mail": {}}}, {"Sns": {"Message": "?"}}]
    lines = decoded(json.dumps({"Records": records}, indent=1), exit_code=1)
    assert [next(iter(line)) for line in lines] == ["event_id", "ignored", "error"]


@pytest.mark.parametrize("batch", ["[]", '{"Records": []}', " [ ] \n"])
def test_an_empty_batch_is_one_ignored_line(batch: str) -> None:
    """A batch without records yields one line that says it was ignored."""
    assert [list(line) for line in decoded(batch)] == [["ignored"]]


def test_text_that_is_no_json_is_one_error() -> None:
    """A file that is neither JSON nor NDJSON yields one error, not one for each line."""
    assert [list(line) for line in decoded("Dear all,\nplease see below.\n", exit_code=1)] == [["error"]]


@pytest.mark.parametrize("nothing", ["", "\n\n", " \r\n\t\n", "\ufeff"])
def test_a_blank_file_yields_no_line(nothing: str) -> None:
    """An empty file, blank lines or a byte order mark alone yield no line."""
    assert decoded(nothing) == []


def test_lines_may_end_in_any_newline_or_none() -> None:
    """Windows and Unix line ends, blank lines and a missing last newline are all accepted."""
    assert ids(decoded(f"\ufeff{a_send('1')}\r\n \r\n{a_send('2')}\n\n{a_send('3')}")) == ["1", "2", "3"]


def test_several_files_are_decoded_in_order_plain_or_gzip(tmp_path: Path) -> None:
    """Files and standard input are decoded in the order of the arguments, decompressed if necessary."""
    (tmp_path / "plain").write_text(a_send("1"))
    (tmp_path / "zipped").write_bytes(gzip.compress(f"{a_send('2')}\n{a_send('3')}".encode()))
    lines = json_lines("decode", str(tmp_path / "zipped"), "-", str(tmp_path / "plain"), stdin=a_send("4"))
    assert ids(lines) == ["2", "3", "4", "1"]


def test_without_a_file_standard_input_is_read_plain_or_gzip() -> None:
    """Without an argument, standard input is decoded, decompressed if necessary."""
    assert ids(json_lines("decode", stdin=a_send("1"))) == ["1"]
    assert ids(json_lines("decode", stdin=gzip.compress(a_send("1").encode()))) == ["1"]


def test_invalid_utf8_is_replaced() -> None:
    """Bytes that are not UTF-8 become replacement characters, so that the output is always JSON."""
    [line] = json_lines("decode", stdin=b'{"eventType":"Send","mail":{"messageId":"caf\xe9"}}')
    assert line["message_id"] == "caf\N{REPLACEMENT CHARACTER}"


def test_control_characters_are_escaped_and_keep_their_meaning() -> None:
    """So are marks of direction: they are printed as JSON escapes, which programs read back unchanged."""
    message_id = "\x1b[2J \x9b2J \x7f \x85 ü € \x1b]8;;https://example.com\x07 \u202egpj \u2028 \U000e0041 😀"
    output = run_ok("decode", stdin=a_send(message_id))
    assert json.loads(output)["message_id"] == message_id
    assert output.rstrip("\n").isprintable()


def test_a_folder_is_decoded_with_all_files_below_it(tmp_path: Path) -> None:
    """A folder's files are decoded in the order of their paths. An empty folder has nothing to read."""
    for name in ("b", "a/2", "a/1"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(a_send(name))
    assert ids(json_lines("decode", str(tmp_path))) == ["a/1", "a/2", "b"]
    (tmp_path / "empty").mkdir()
    assert "nothing to read at" in run_failing("decode", str(tmp_path / "empty"))


def test_many_unreadable_files_are_few_words(tmp_path: Path) -> None:
    """Of many files that cannot be read, the sentence names the first ones and the number of the others."""
    sentence = run_failing("decode", *(str(tmp_path / str(number)) for number in range(1_000)))
    assert sentence.count("No such file") == 5
    assert sentence.endswith("; and 995 more")


@pytest.mark.parametrize("name", ["no-such-file", "x" * 5_000, "caf\udce9"])
def test_an_unreadable_file_is_reported_in_one_sentence(tmp_path: Path, name: str) -> None:
    """A file that is missing or misnamed leads to one sentence with exit code 2."""
    assert "cannot read" in run_failing("decode", str(tmp_path / name))


def test_an_unreadable_file_does_not_hide_the_others(tmp_path: Path) -> None:
    """All readable files are decoded, and all unreadable ones are reported in one sentence."""
    (tmp_path / "first").write_text(a_send("1"))
    (tmp_path / "broken").write_bytes(gzip.compress(a_send("2").encode() + b"\n" + a_send("3").encode())[:-9])
    (tmp_path / "last").write_text(a_send("4"))
    result = run("decode", *(str(tmp_path / name) for name in ("first", "missing", "broken", "last")))
    assert ids([json.loads(line) for line in result.stdout.splitlines()])[:1] == ["1"]
    assert ids([json.loads(line) for line in result.stdout.splitlines()])[-1:] == ["4"]
    [sentence] = result.stderr.splitlines()
    assert "missing: No such file" in sentence
    assert "broken: " in sentence
    assert result.exit_code == 2
