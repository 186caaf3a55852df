"""`mailfold quarantine show` shows one leftover, and what the decoder makes of it today."""

from tests.support.builders import ADA, a_bounce, a_send
from tests.support.command import json_lines, run, run_failing, run_ok
from tests.support.deployed import NAME
from tests.support.deployed_leftovers import AFirehose, bounce, put
from tests.support.leftovers import ERROR_KEY, QUARANTINE_KEY, a_quarantine_object

STACK = ("--stack", NAME)


def test_show_says_what_the_decoder_makes_of_it_today(leftovers: AFirehose) -> None:
    """Reason and position, today's outcome of each record, and its text."""
    text = run_ok("quarantine", "show", ERROR_KEY, *STACK)
    assert "Lambda.ProcessingFailedStatus" in text
    assert f"record at {ERROR_KEY}:1, " in text
    assert "  today: bounce, event " in text
    assert bounce("error").decode() in text
    put(QUARANTINE_KEY, a_quarantine_object(b"no\x1b[2J JSON"))
    text = run_ok("quarantine", "show", QUARANTINE_KEY, *STACK)
    assert "  today: rejected: not a JSON document\n" in text
    assert "\x1b" not in text
    put(QUARANTINE_KEY, a_quarantine_object(a_bounce(recipients=["nowhere", ADA])))
    assert "rejected: 1 recipient without a usable address" in run_ok("quarantine", "show", QUARANTINE_KEY, *STACK)
    put(QUARANTINE_KEY, a_quarantine_object(b'{"notificationType": "Received", "mail": {}}' + b" " * 5_000))
    text = run_ok("quarantine", "show", QUARANTINE_KEY, *STACK)
    assert "not about a sent e-mail: received mail" in text
    assert "… (--raw prints all of it)" in text


def test_show_prints_exact_bytes(leftovers: AFirehose) -> None:
    """--raw prints one record, and nothing else; of several, --record names it."""
    put(QUARANTINE_KEY, a_quarantine_object(b"\xff\x00\r\n"))
    assert run("quarantine", "show", QUARANTINE_KEY, "--raw", *STACK).stdout_bytes == b"\xff\x00\r\n"
    assert run("quarantine", "show", ERROR_KEY, "--raw", "--record", "2", *STACK).stdout_bytes == a_send()
    assert "has 2 records: name one of them with --record" in run_failing(
        "quarantine", "show", ERROR_KEY, "--raw", *STACK
    )
    sentence = run_failing("quarantine", "show", ERROR_KEY, "--record", "3", *STACK, exit_code=4)
    assert sentence == f"{ERROR_KEY} has 2 records, and no record 3"


def test_show_prints_json(leftovers: AFirehose) -> None:
    """The leftover as in the list, with its records and what the decoder makes of each."""
    [shown] = json_lines("quarantine", "show", ERROR_KEY, "--json", *STACK)
    assert (shown["id"], shown["records"]) == (ERROR_KEY, 2)
    assert [record["today"][0]["kind"] for record in shown["contents"]] == ["bounce", "send"]


def test_a_redriven_leftover_can_be_shown(leftovers: AFirehose) -> None:
    """It keeps its id."""
    run_ok("quarantine", "redrive", QUARANTINE_KEY, *STACK)
    assert ", redriven: damaged gzip" in run_ok("quarantine", "show", QUARANTINE_KEY, *STACK)
