"""`mailfold erase` takes a person out of log and table, keeps the suppression, and says what it cannot reach."""

import json
from uuid import uuid4

import pytest

from pipeline.cli import prompt
from pipeline.cli.target import target
from tests.support.cloud_process import CloudProcess
from tests.support.command import json_lines, run, run_failing, run_ok


@pytest.fixture
def bounced(cloud: CloudProcess) -> str:
    """Return an address whose mail bounced."""
    address = f"bounce+{uuid4().hex[:8]}@example.com"
    run_ok("send", "--to", address)
    cloud.settle()
    return address


def text_of_log(name: str) -> list[str]:
    """Return the raw text of the rows of the log that contain a text."""
    return [row["raw"] for row in json_lines("query", "--json", "SELECT raw FROM events") if name in row["raw"]]


def test_an_erased_person_is_nowhere_and_stays_suppressed(bounced: str) -> None:
    """A look-up with the key finds the suppression, and a rebuild agrees with the table."""
    label = bounced.partition("@")[0].partition("+")[2]
    assert len(text_of_log(label)) >= 2

    [result] = json_lines("erase", "--yes", "--delete-copies", "--json", bounced)

    assert result["log"]["rows"] >= 2
    assert text_of_log(label) == []
    assert text_of_log(result["pseudonym"])
    [answer] = json_lines("lookup", "--json", bounced)
    assert (answer["status"], answer["reason"]) == ("suppressed", "hard")
    assert label not in json.dumps(answer["facts"])
    table = f"rebuilt-{label}"
    rebuilt, live = json_lines("replay", "--into", table, "--json"), json_lines("replay", "--json")
    assert rebuilt[0]["digest"] == live[0]["digest"]


def test_a_dry_run_shows_what_would_be_erased(bounced: str) -> None:
    """Nothing is changed."""
    said = run_ok("erase", "--dry-run", bounced)

    assert "would be rewritten" in said
    assert "1 item under the hash" in said
    assert "beyond reach:" in said
    [answer] = json_lines("lookup", "--json", bounced)
    assert answer["facts"][0]["spelling"] == bounced


def test_erasing_asks_first(bounced: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing can undo it. Without a terminal, an option answers."""
    assert "use --yes" in run_failing("erase", bounced)
    monkeypatch.setattr(prompt, "can_ask", lambda: True)
    monkeypatch.setattr(prompt, "confirm", lambda *_, **__: False)
    assert run_failing("erase", bounced).endswith("nothing was erased")
    [answer] = json_lines("lookup", "--json", bounced)
    assert answer["facts"][0]["spelling"] == bounced


def test_copies_are_named_and_deleted_on_request(bounced: str) -> None:
    """Results of queries name people too. The exit code says that something remains."""
    text_of_log(bounced.partition("@")[0].partition("+")[2])

    result = run("erase", "--yes", bounced)
    assert result.exit_code == 1
    assert "athena-results/" in result.stdout

    [done] = json_lines("erase", "--yes", "--delete-copies", "--json", bounced)
    assert done["copies"] == done["deleted_copies"] != []


def test_what_is_no_address_is_not_erased(cloud: CloudProcess) -> None:
    """The message does not repeat it."""
    assert run_failing("erase", "--yes", "no-address", exit_code=1).startswith("that is not one e-mail address")


def test_the_key_is_destroyed_by_its_name_alone(bounced: str) -> None:
    """Afterwards no look-up finds the person."""
    run("erase", "--yes", "--delete-copies", bounced)
    parameter = target().erasure_parameter
    assert parameter
    assert parameter in run_failing("erase", "--destroy-key", "another")
    assert parameter in run_failing("erase", "--destroy-key", parameter, bounced)

    assert "no look-up finds" in run_ok("erase", "--destroy-key", parameter)
    assert run_ok("erase", "--destroy-key", parameter).strip() == "there is no key"
    assert run_ok("lookup", bounced).splitlines() == [f"{bounced}: clear"]
