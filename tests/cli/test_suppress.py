"""`mailfold suppress` and `mailfold release` on a local cloud: decisions are events of log and table."""

import getpass
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pipeline.cli import decide
from pipeline.timestamp import parse_time
from tests.cli.test_ingest import a_bounce
from tests.support.cloud_process import CloudProcess
from tests.support.command import json_lines, run, run_failing, run_ok

WHY = ("--reason", "a test")


@pytest.fixture
def label() -> str:
    """A part of an address that no other test uses."""
    return uuid4().hex[:8]


def bounce(address: str) -> None:
    """Make an address bounce."""
    run_ok("ingest", "-", stdin=json.dumps(a_bounce(address)))


def answer(address: str, *options: str) -> Any:
    [line] = json_lines("lookup", "--json", *options, address)
    return line


def test_a_suppress_holds_until_a_release(cloud: CloudProcess, label: str) -> None:
    """The command waits until the table agrees, so that `lookup` does at once."""
    address = f"{label}@example.com"
    said = run("suppress", address, *WHY)
    assert said.stderr.splitlines() == ["suppress: 1 address", f"  {address}: clear, then suppressed (operator)"]
    first, second = said.stdout.splitlines()
    assert first == f"1 decision by {getpass.getuser()}, and the table agrees"
    assert second.startswith("to take it back: mailfold undo 0")
    assert answer(address)["reason"] == "operator"
    run_ok("release", address, *WHY)
    assert not answer(address)["suppressed"]


def test_a_decision_says_who_when_and_why(cloud: CloudProcess, label: str) -> None:
    """--json has one line for each address, and the log the same event."""
    one, two = f"Ann.{label}@example.com", f"bob.{label}@example.com"
    lines = json_lines("suppress", one, two, one.lower(), "--reason", "by phone", "--as", "Eve Lee", "--json")
    assert [line["address"] for line in lines] == [one.lower(), two]
    assert len({line["event_id"] for line in lines}) == 2
    [batch] = {line["batch"] for line in lines}
    author = f"Eve Lee ({getpass.getuser()})"
    assert lines[0] == {
        "address": one.lower(),
        "scope": "*",
        "action": "suppress",
        "event_id": lines[0]["event_id"],
        "batch": batch,
        "at": lines[0]["at"],
        "decided_at": lines[0]["at"],
        "author": author,
        "reason": "by phone",
        "before": {"suppressed": False, "reasons": []},
        "after": {"suppressed": True, "reasons": ["operator"]},
        "published": True,
        "in_table": True,
        "ses": None,
    }
    assert parse_time(lines[0]["at"])
    cloud.settle()
    rows = json_lines("query", "--saved", "decisions_of_a_request", batch, "--json")
    decisions = {decision["id"]: decision for row in rows for decision in [json.loads(row["raw"])["decision"]]}
    assert decisions.keys() == {line["event_id"] for line in lines}
    first = decisions[lines[0]["event_id"]]
    assert (first["address"], first["author"], first["reason"], first["batch"], first["batchSize"]) == (
        one,
        author,
        "by phone",
        batch,
        2,
    )


def test_an_explanation_names_who_decided_why_and_in_which_request(cloud: CloudProcess, label: str) -> None:
    """Support reads it from the log."""
    address = f"{label}@example.com"
    [line] = json_lines("suppress", address, "--reason", "by phone", "--as", "Eve", "--json")
    cloud.settle()
    said = run_ok("explain", address)
    assert f"decided by Eve ({getpass.getuser()}): by phone, batch {line['batch']}" in said


def test_a_rebuild_keeps_every_decision(cloud: CloudProcess, label: str) -> None:
    """The log alone yields the same table."""
    bounced, clear = f"{label}.1@example.com", f"{label}.2@example.com"
    bounce(bounced)
    run_ok("release", bounced, *WHY)
    run_ok("suppress", clear, *WHY)
    cloud.settle()
    [live], [rebuilt] = json_lines("replay", "--json"), json_lines("replay", "--json", "--into", f"rebuilt-{label}")
    assert (live["written"], live["digest"]) == (0, rebuilt["digest"])


def test_a_request_that_is_repeated_is_one_event(cloud: CloudProcess, label: str) -> None:
    """The log has one event of it, and the table the same item."""
    address = f"{label}@example.com"
    [first] = json_lines("suppress", address, *WHY, "--json")
    before = answer(address)
    [again] = json_lines("suppress", address, *WHY, "--json", "--id", first["batch"])
    assert (again["event_id"], again["at"], again["in_table"]) == (first["event_id"], first["at"], True)
    assert answer(address) == before
    cloud.settle()
    sql = "SELECT event_id, recipients[1] AS address FROM events WHERE decision IS NOT NULL"
    events = [row["event_id"] for row in json_lines("query", sql, "--json") if row["address"] == address]
    assert events == [first["event_id"]] * 2


def test_a_scope_is_decided_alone(cloud: CloudProcess, label: str) -> None:
    """Other mail is clear; a release there does not lift what holds for all mail, and says so."""
    address = f"{label}@example.com"
    run_ok("suppress", address, *WHY, "--scope", "acme")
    assert answer(address, "--scope", "acme")["suppressed"]
    assert not answer(address)["suppressed"]
    run_ok("suppress", address, *WHY)
    said = run("release", address, *WHY, "--scope", "acme").stderr
    assert f"{address} in acme: suppressed (operator, operator), then suppressed (operator)" in said


def test_a_decision_about_an_erased_person_names_no_one(cloud: CloudProcess, label: str) -> None:
    """It is about the pseudonym, under which the facts lie, and SES's list has the address as it was requested."""
    address = f"bounce+{label}@example.com"
    run_ok("send", "--to", address)
    cloud.settle()
    run_ok("erase", "--yes", "--delete-copies", address)
    [line] = json_lines("release", address.upper(), *WHY, "--json", "--also-ses")
    assert line["address"].endswith("@erased.invalid")
    assert line["ses"] == {address.upper(): "not on the list", address: "removed"}
    assert not answer(address)["suppressed"]
    cloud.settle()
    rows = json_lines("query", "--saved", "decisions_of_a_request", line["batch"], "--json")
    assert label.lower() not in json.dumps(rows).lower()
    bounce(address)
    assert len(json_lines("release", address, *WHY, "--json")) == 2
    assert not answer(address)["suppressed"]


def test_a_dry_run_decides_nothing(cloud: CloudProcess, label: str) -> None:
    """It shows the verdicts, and neither log nor table changes."""
    address = f"{label}@example.com"
    assert run_ok("suppress", address, *WHY, "--dry-run").splitlines() == [
        "suppress: 1 address",
        f"  {address}: clear, then suppressed (operator)",
    ]
    [line] = json_lines("suppress", address, *WHY, "--dry-run", "--json")
    assert (line["published"], line["in_table"]) == (False, None)
    assert not answer(address)["suppressed"]


def test_many_addresses_need_a_yes(cloud: CloudProcess, label: str, terminal: None) -> None:
    """Five are decided at once; of more, the first are shown and all are counted."""
    addresses = [f"{label}.{number}@example.com" for number in range(8)]
    refused = run("suppress", *addresses, *WHY, stdin="n\n")
    assert refused.exit_code == 2
    assert refused.stderr.splitlines()[-1].endswith("mailfold: nothing was decided")
    assert "  and 3 more, in all:\n           8 clear, then suppressed (operator)\n" in refused.stderr
    assert not answer(addresses[0])["suppressed"]
    assert "8 decisions by" in run("suppress", *addresses, *WHY, stdin="y\n").stdout
    assert "5 decisions by" in run("release", *addresses[:5], *WHY, stdin="").stdout


def test_without_a_terminal_many_addresses_need_an_option(cloud: CloudProcess, label: str) -> None:
    """A program says --yes."""
    addresses = [f"{label}.{number}@example.com" for number in range(6)]
    said = run("suppress", *addresses, *WHY)
    assert said.exit_code == 2
    assert said.stderr.splitlines()[-1] == (
        "mailfold: this decides about 6 addresses, and there is no terminal to ask on: add --yes to do it"
    )
    assert len(json_lines("suppress", *addresses, *WHY, "--yes", "--json")) == 6


def test_a_complaint_is_lifted_by_a_yes_alone(cloud: CloudProcess, label: str) -> None:
    """That person asked for no more mail."""
    address = f"complaint+{label}@example.com"
    run_ok("send", "--to", address)
    cloud.settle()
    said = run("release", address, *WHY)
    assert said.exit_code == 2
    assert "this lifts the complaint of 1 address of 1, and there is no terminal" in said.stderr
    assert answer(address)["suppressed"]
    run_ok("release", address, *WHY, "--yes")
    assert not answer(address)["suppressed"]


def test_addresses_come_from_standard_input_or_a_csv_file(cloud: CloudProcess, label: str, tmp_path: Path) -> None:
    """One on each line; or a column whose name is known or stated, whatever the delimiter."""
    one, two, three = (f"{label}.{number}@example.com" for number in range(3))
    assert len(json_lines("suppress", "-", *WHY, "--json", stdin=f"{one}\n\n {two}\n")) == 2
    file = tmp_path / "list.csv"
    file.write_text(f'﻿Name;E-Mail\n"Lee; Ann";{three}\n;\n', encoding="utf-8")
    assert [line["address"] for line in json_lines("suppress", "--csv", str(file), *WHY, "--json")] == [three]
    csv = f"id,customer\n1,{one}\n2,{two}\n"
    released = json_lines("release", "--csv", "-", "--column", "Customer", *WHY, "--json", stdin=csv)
    assert [line["address"] for line in released] == [one, two]


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "sentence"),
    [
        ([], "", 2, "which addresses? Write them as arguments, or - for standard input, or name a file with --csv"),
        (["a@example.com", "--csv", "-"], "", 2, "which addresses?"),
        (["a@example.com", "--column", "x"], "", 2, "which addresses?"),
        (["-"], "\n", 2, "there is no address in the input: nothing was decided"),
        (["--csv", "-"], "name\nann\n", 2, "- has no column of addresses: name it with --column"),
        (["--csv", "-", "--column", "mail"], "email\na@example.com\n", 2, "- has no column 'mail'"),
        (["--csv", "-"], b"email\n\xff\n", 2, "cannot read -: it is not UTF-8"),
        (["--csv", "/no/such/file"], "", 2, "cannot read /no/such/file: No such file or directory"),
        (
            ["a@example.com", "ann", "b@example.com,c@example.com"],
            "",
            1,
            "2 entries of 3 that are not one e-mail address, number 2, 3: correct them; nothing was decided",
        ),
        (["a@example.com", "--scope", ""], "", 2, "not a scope: a scope has 1 to 64 characters"),
        (["a@example.com", "--id", "ticket"], "", 2, "not the id of a request: 'ticket'"),
        (["a@example.com", "--id", "ffffffffffff70008000000000000000"], "", 2, "not the id of a request"),
        (
            ["a@example.com", "--id", "e00000000000" + "70008000000000000000"],
            "",
            2,
            "the id of the request is of a time to",
        ),
        (["a@example.com", "--reason", " "], "", 2, "no reason: say with --reason why"),
    ],
)
def test_a_request_that_cannot_be_is_refused_in_one_sentence(
    cloud: CloudProcess, arguments: list[str], stdin: str | bytes, code: int, sentence: str
) -> None:
    """Nothing is decided about any address, and the sentence shows none."""
    said = run_failing("suppress", *WHY, *arguments, exit_code=code, stdin=stdin)
    assert said.startswith(sentence)
    assert "@" not in said


def test_a_late_projector_is_said(cloud: CloudProcess, label: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The decision is safe, so the exit code is 0; with --no-wait nothing is awaited."""
    monkeypatch.setattr(decide, "WAIT_SECONDS", 0.0)
    monkeypatch.setattr(decide, "wait_until_shown", lambda *_, **__: frozenset())
    said = run("suppress", f"{label}@example.com", *WHY)
    assert said.exit_code == 0
    assert "the table shows 0 of 1 decision so far, because the projector is late: they are safe" in said.stderr
    assert "the table agrees" not in said.stdout
    [line] = json_lines("suppress", f"{label}@example.com", *WHY, "--json", "--no-wait")
    assert line["in_table"] is None


def test_streams_that_are_not_named_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """A sender's environment has a table only: a decision has to go into log and stream."""
    for name, value in {"TABLE": "t-table", "BUCKET": "a-bucket", "STREAM": "a-stream"}.items():
        monkeypatch.setenv(f"MAILFOLD_{name}", value)
    said = run_failing("suppress", "ann@example.com", *WHY)
    assert said.endswith("or set MAILFOLD_DELIVERY_STREAM and MAILFOLD_STREAM")
