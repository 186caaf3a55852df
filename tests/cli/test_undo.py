"""`mailfold undo` shows the decisions of a request, and takes them back together."""

import inspect
import json
import shlex
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import pytest

from pipeline.cli.undo import undo_command
from pipeline.timestamp import format_time
from tests.cli.test_ingest import a_bounce
from tests.support.cloud_process import CloudProcess
from tests.support.command import json_lines, run, run_failing, run_ok

WHY = ("--reason", "a test")
UNKNOWN = "019cbd709d0070008000000000000001"


@pytest.fixture
def people() -> list[str]:
    """Three addresses that no other test uses."""
    label = uuid4().hex[:8]
    return [f"{name}.{label}@example.com" for name in ("one", "two", "three")]


def suppressed(*addresses: str) -> list[bool]:
    return [line["suppressed"] for line in json_lines("lookup", "--json", *addresses)]


def request(cloud: CloudProcess, *arguments: str) -> str:
    """Carry out a request, wait until the log has it, and return its id."""
    lines: list[Any] = json_lines(*arguments, *WHY, "--json")
    cloud.settle()
    return str(lines[0]["batch"])


def test_a_suppress_is_taken_back_together(cloud: CloudProcess, people: list[str]) -> None:
    """What was decided again since is left alone, and so is what would be suppressed anyway. A second undo has none."""
    run_ok("ingest", "-", stdin=json.dumps(a_bounce(people[1])))
    id_ = request(cloud, "suppress", *people)
    shown = run_ok("undo", id_, *WHY, "--dry-run").splitlines()
    assert shown[0] == "release: 2 addresses"
    assert sorted(shown[1:3]) == sorted(f"  {name}: suppressed (operator), then clear" for name in people[::2])
    assert shown[3:] == [
        "left as it is: 1 address: it changed nothing: the address would be as it is without it",
        f"  {people[1]}",
    ]
    assert suppressed(*people) == [True] * 3
    run_ok("release", people[2], *WHY)
    run_ok("suppress", people[2], *WHY)
    [one] = [line for line in json_lines("undo", id_, *WHY, "--json") if line["action"]]
    assert (one["address"], one["action"]) == (people[0], "release")
    assert suppressed(*people) == [False, True, True]
    again = run("undo", id_, *WHY)
    assert again.exit_code == 0
    assert "left as they are: 2 addresses: it was decided again since" in again.stderr


def test_a_release_is_taken_back_and_an_undo_too(cloud: CloudProcess, people: list[str]) -> None:
    """The opposite of a release is an operator's suppress, and the opposite of that the release."""
    run_ok("ingest", "-", stdin=json.dumps(a_bounce(people[0])))
    id_ = request(cloud, "release", people[0], people[1])
    undone = request(cloud, "undo", id_.upper())
    assert suppressed(*people[:2]) == [True, False]
    run_ok("undo", undone, *WHY)
    assert suppressed(*people[:2]) == [False, False]


def test_a_scope_is_undone_in_that_scope(cloud: CloudProcess, people: list[str]) -> None:
    """The request's scope counts, and the log's spelling."""
    id_ = request(cloud, "suppress", people[0].upper(), "--scope", "acme")
    [line] = json_lines("undo", id_, *WHY, "--json")
    assert (line["scope"], line["action"]) == ("acme", "release")
    assert not json_lines("lookup", "--json", "--scope", "acme", people[0])[0]["suppressed"]


def test_a_request_that_the_log_does_not_show_is_said(cloud: CloudProcess) -> None:
    """It may be minutes old, so the exit code says to try again."""
    said = run("undo", UNKNOWN, *WHY)
    assert said.exit_code == 5
    assert "the log shows 0 of the decisions of this request: check its id, or wait some minutes" in said.stderr
    assert run_failing("undo", "ticket", *WHY).startswith("not the id of a request")


def test_a_request_of_which_the_log_shows_a_part_waits(cloud: CloudProcess, people: list[str]) -> None:
    """Undone together means all of it; --incomplete is for a request that failed for good."""
    id_ = request(cloud, "suppress", people[0])
    decision = {
        "id": uuid4().hex,
        "action": "suppress",
        "address": people[1],
        "decidedAt": format_time(datetime.now(UTC)),
        "batch": id_,
        "batchSize": 3,
    }
    run_ok("ingest", "-", stdin=json.dumps({"eventType": "Decision", "decision": decision}))
    said = run("undo", id_, *WHY)
    assert said.exit_code == 5
    assert "the log shows 2 of 3 decisions of this request" in said.stderr
    assert suppressed(*people[:2]) == [True, True]
    run_ok("undo", id_, *WHY, "--incomplete")
    assert suppressed(*people[:2]) == [False, False]


def test_the_example_in_the_help_runs(cloud: CloudProcess, people: list[str]) -> None:
    """With the id of a request that was made."""
    example = (inspect.getdoc(undo_command) or "").partition("Example: ")[2].strip()
    assert UNKNOWN in example
    arguments = shlex.split(example.replace(UNKNOWN, request(cloud, "suppress", people[0])))[1:]
    assert "then clear" in run_ok(*arguments)


def test_the_bytes_that_are_read_are_printed(cloud: CloudProcess, people: list[str]) -> None:
    """Athena bills them. The day of the request bounds what is read."""
    assert " read\n" in run("undo", request(cloud, "suppress", people[0]), *WHY, "--dry-run").stderr
