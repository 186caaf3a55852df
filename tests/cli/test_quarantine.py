"""`mailfold quarantine` lists and redrives the leftovers of a deployment, its queues included."""

import json
import re
from typing import Any

import pytest

from pipeline.aws.clients import session
from tests.support.builders import a_send
from tests.support.command import ROOT, json_lines, run, run_failing, run_ok
from tests.support.deployed import NAME, bucket, objects
from tests.support.deployed_leftovers import AFirehose, bounce, depth, feedback_ids, put, send, streamed
from tests.support.leftovers import (
    BATCH_KEY,
    ERROR_KEY,
    QUARANTINE_KEY,
    a_batch_reference,
    a_quarantine_object,
    an_error_object,
)

STACK = ("--stack", NAME)
OPERATORS = (ROOT / "infra/README.md").read_text(encoding="utf-8").partition("## Records that failed")[2]


def test_the_list_has_every_place(leftovers: AFirehose) -> None:
    """Each has place, time, reason, position, size and number of records; a queue is as it was before."""
    listed = json_lines("quarantine", "list", "--json", *STACK)
    assert [line["place"] for line in listed] == [
        *("quarantine", "firehose", "lambda", "lambda", "rule-queue", "notification-queue")
    ]
    first = listed[0]
    assert first["at"].endswith("Z")
    assert first | {"at": ""} == {
        "id": QUARANTINE_KEY,
        "place": "quarantine",
        "at": "",
        "reason": "damaged gzip",
        "position": "mail.json:7",
        "size_bytes": len(a_quarantine_object(bounce("quarantine"), reason="damaged gzip", position="mail.json:7")),
        "records": 1,
        "expired": 0,
        "redriven": False,
    }
    assert listed[1]["records"] == 2
    assert json_lines("quarantine", "list", "--json", *STACK) == listed
    assert (depth("RuleDeadLetters"), depth("NotificationDeadLetters")) == (1, 1)


def test_the_list_is_for_people_too_and_shows_no_address(leftovers: AFirehose) -> None:
    """A line for each, and the number in each place."""
    text = run_ok("quarantine", "list", *STACK)
    assert "quarantine  1 record, " in text
    assert f": damaged gzip\n    {QUARANTINE_KEY}\n    mail.json:7\n" in text
    assert text.endswith("6 leftovers (1 quarantine, 1 firehose, 2 lambda, 1 rule-queue, 1 notification-queue)\n")
    assert "@" not in text.replace("…@…", "")


def test_place_and_reason_restrict_the_list(leftovers: AFirehose) -> None:
    """--place may be repeated, --reason is part of the reason in any case."""
    places = ("--place", "quarantine", "--place", "firehose")
    assert len(json_lines("quarantine", "list", "--json", *places, *STACK)) == 2
    [line] = json_lines("quarantine", "list", "--json", "--reason", "NO_perm", *STACK)
    assert line["place"] == "rule-queue"


def test_an_object_that_is_not_ours_is_named_and_passed_over(leftovers: AFirehose) -> None:
    """List and redrive name it on standard error, and work on all others; the exit code of a redrive is 1."""
    put("quarantine/notes.txt", b"call ada@example.com")
    result = run("quarantine", "list", "--json", *STACK)
    assert len(result.stdout.splitlines()) == 6
    assert result.stderr == "skipped quarantine/notes.txt: it is not a quarantine object\n"
    result = run("quarantine", "redrive", "--all", *STACK)
    assert result.exit_code == 1
    assert "skipped quarantine/notes.txt: it is not a quarantine object" in result.stderr
    assert "6 leftovers redriven" in result.stdout
    assert objects("quarantine/") == ["quarantine/notes.txt"]
    sentence = run_failing("quarantine", "show", "quarantine/notes.txt", *STACK)
    assert sentence == "quarantine/notes.txt is no leftover: it is not a quarantine object"


def test_a_redrive_sends_each_record_where_it_is_missing(leftovers: AFirehose) -> None:
    """The stream gets all feedback; the log gets what did not reach it before."""
    assert run_ok("quarantine", "redrive", "--all", *STACK) == "6 leftovers redriven, with 7 records\n"
    assert feedback_ids(streamed()) == ["batch", "call", "error", "notification", "quarantine", "rule"]
    assert feedback_ids(leftovers.kept) == ["call", "error", "notification", "quarantine"]
    assert a_send() in leftovers.kept


def test_what_was_redriven_is_kept_and_leaves_alarm_and_place(leftovers: AFirehose) -> None:
    """The queues are empty, which ends their alarms; all of it is below redriven/."""
    run_ok("quarantine", "redrive", "--all", *STACK)
    assert (depth("RuleDeadLetters"), depth("NotificationDeadLetters")) == (0, 0)
    assert [objects(prefix) for prefix in ("quarantine/", "errors/", "aws/lambda/")] == [[], [], []]
    assert len(objects("redriven/")) == 6
    assert f"redriven/{QUARANTINE_KEY}" in objects("redriven/")
    assert run_ok("quarantine", "list", *STACK) == "0 leftovers\n"
    listed = json_lines("quarantine", "list", "--redriven", "--json", *STACK)
    assert [line["redriven"] for line in listed] == [True] * 6
    assert "1 record, " in run_ok("quarantine", "list", "--redriven", *STACK)


def test_redriving_by_id_twice_says_so_and_sends_nothing(leftovers: AFirehose) -> None:
    """Only the named ones are redriven; an object and a message alike."""
    [message] = [line["id"] for line in json_lines("quarantine", "list", "--place", "rule-queue", "--json", *STACK)]
    command = ("quarantine", "redrive", QUARANTINE_KEY, message)
    assert run_ok(*command, *STACK) == "2 leftovers redriven, with 2 records\n"
    assert run_ok(*command, *STACK) == (
        "0 leftovers redriven, with 0 records\n2 leftovers redriven before, and not again\n"
    )
    assert feedback_ids(streamed()) == ["quarantine", "rule"]
    assert len(json_lines("quarantine", "list", "--json", *STACK)) == 4


# The action that IAM names for each call, where it differs from the call's name.
ACTIONS = {
    "CopyObject": ("s3:GetObject", "s3:PutObject"),
    "DeleteObjects": ("s3:DeleteObject",),
    "GetObject": ("s3:GetObject",),
    "ListObjectsV2": ("s3:ListBucket",),
    "PutObject": ("s3:PutObject",),
    "ChangeMessageVisibilityBatch": ("sqs:ChangeMessageVisibility",),
}


def test_the_page_of_the_stack_has_every_permission_that_an_operator_needs(leftovers: AFirehose) -> None:
    """Every call of a redrive is allowed by an action that infra/README.md lists; Firehose's is the only one faked."""
    put(QUARANTINE_KEY, a_quarantine_object(b"no JSON"))
    put(f"{BATCH_KEY}-reference", json.dumps(a_batch_reference(2)).encode())
    put(ERROR_KEY, an_error_object(bounce("error"), b"no JSON"))
    send("RuleDeadLetters", b"no JSON")
    needed = {"firehose:PutRecordBatch"}

    def note(model: Any, **_: Any) -> None:
        service = model.service_model.service_name
        needed.update(ACTIONS.get(model.name, (f"{service}:{model.name}",)))

    hooks: Any = session()  # the stubs want a type for each event
    hooks.register("before-call.*", note)
    try:
        assert run("quarantine", "redrive", "--all", *STACK).exit_code == 1
    finally:
        hooks.unregister("before-call.*", note)
    listed = set(re.findall(r"`((?:cloudformation|firehose|kinesis|s3|sqs|ssm):\w+)`", OPERATORS))
    assert needed <= listed
    assert {"s3:DeleteObject", "sqs:DeleteMessage", "kinesis:PutRecords"} <= needed


def test_what_is_still_rejected_returns_to_its_queue(firehose: AFirehose) -> None:
    """A message that cannot be read is visible again, and its alarm stays."""
    send("RuleDeadLetters", b"no JSON")
    result = run("quarantine", "redrive", "--all", *STACK)
    assert result.exit_code == 1
    assert result.stdout == "0 leftovers redriven, with 0 records\n1 record still rejected: not a JSON document\n"
    assert result.stderr == "mailfold: 1 could not be redriven: `mailfold quarantine list` shows them\n"
    assert depth("RuleDeadLetters") == 1
    assert firehose.kept == []


def test_a_mixed_object_is_split(firehose: AFirehose) -> None:
    """What is read is sent, the rest is in the quarantine with its reason."""
    put(ERROR_KEY, an_error_object(bounce("one"), b"no JSON"))
    result = run("quarantine", "redrive", "--all", *STACK)
    assert "1 of them moved to the quarantine" in result.stdout
    [line] = json_lines("quarantine", "list", "--json", *STACK)
    assert (line["place"], line["reason"], line["position"]) == ("quarantine", "not a JSON document", f"{ERROR_KEY}:2")


def test_an_expired_batch_is_reported_with_its_remedy(firehose: AFirehose) -> None:
    """Its records are in the log, from which a replay restores the table."""
    put(BATCH_KEY, json.dumps(a_batch_reference(3)).encode())
    assert "3 records expired in the stream; the log has them: `mailfold replay`" in run_ok(
        "quarantine", "list", *STACK
    )
    result = run("quarantine", "redrive", BATCH_KEY, *STACK)
    assert result.exit_code == 1
    assert (
        "3 records expired in the stream: they are in the log; restore the table with `mailfold replay`"
        in result.stdout
    )
    assert "has 0 records" in run_failing("quarantine", "show", BATCH_KEY, "--raw", *STACK)


def test_counts_are_printed_as_json(leftovers: AFirehose) -> None:
    """A program gets the same counts."""
    [counts] = json_lines("quarantine", "redrive", "--all", "--place", "firehose", "--dry-run", "--json", *STACK)
    assert counts == {
        "leftovers": 1,
        "records": 2,
        "ignored": 0,
        "rejected": {},
        "moved": 0,
        "expired": 0,
        "redriven_before": 0,
        "foreign": [],
        "dry_run": True,
    }
    assert leftovers.kept == []


@pytest.mark.parametrize("command", ["show", "redrive"])
def test_an_unknown_id_is_reported(firehose: AFirehose, command: str) -> None:
    """A missing leftover exits with 4; what is no id at all is a usage error."""
    sentence = run_failing("quarantine", command, "quarantine/00/none.json", *STACK, exit_code=4)
    assert sentence.startswith("there is no leftover quarantine/00/none.json")
    assert "not the id of a leftover: 'nothing'" in run_failing("quarantine", command, "nothing", *STACK)


@pytest.mark.parametrize("arguments", [[], ["quarantine/one", "--all"], ["quarantine/one", "--place", "lambda"]])
def test_a_redrive_needs_ids_or_all(firehose: AFirehose, arguments: list[str]) -> None:
    """Nothing is redriven by mistake."""
    assert run_failing("quarantine", "redrive", *arguments, *STACK).startswith("name the ids of leftovers, or --all")


def test_without_streams_a_redrive_says_what_to_set(firehose: AFirehose, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names table and bucket alone."""
    monkeypatch.setenv("MAILFOLD_TABLE", "a-table")
    monkeypatch.setenv("MAILFOLD_BUCKET", bucket())
    sentence = run_failing("quarantine", "redrive", "--all")
    assert sentence.endswith("name a stack with --stack, or set MAILFOLD_STREAM and MAILFOLD_DELIVERY_STREAM")


def test_an_interrupted_redrive_says_how_to_go_on(leftovers: AFirehose, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was done is reported, and the message of a queue is visible again at once."""

    def interrupt(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.aws.leftovers.queue.QueueLeftovers.mark", interrupt)
    result = run("quarantine", "redrive", "--all", *STACK)
    assert result.exit_code == 130
    assert "stopped after 4 leftovers: repeat the command to go on" in result.stderr
    assert depth("RuleDeadLetters") == 1
    monkeypatch.undo()


def test_every_action_has_an_example() -> None:
    """The group's help names the actions, and each action's help has an example."""
    text = run("quarantine", "--help").stdout
    for action in ("list", "show", "redrive"):
        assert f"\n  {action} " in text
        assert f"Example: mailfold quarantine {action} " in run("quarantine", action, "--help").stdout
