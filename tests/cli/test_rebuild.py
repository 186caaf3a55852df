"""`mailfold rebuild` on the local cloud: flip, rollback, finish, cancel, one address, and what it refuses."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.cli import prompt
from pipeline.policy import DEFAULT_POLICY
from pipeline.projection import merge
from tests.support.builders import a_bounce
from tests.support.cloud_process import CloudProcess, found_client
from tests.support.command import json_lines, run, run_failing, run_ok
from tests.support.scenario import a_batch, project

BEGIN = ("rebuild", "--yes", "--json", "--wait", "2")
RESUME = (*BEGIN, "--resume")


@pytest.fixture(scope="module")
def rebuilt_cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    """A local cloud of this module, whose live table changes."""
    with CloudProcess(tmp_path_factory.mktemp("rebuilt")) as process:
        yield process


@pytest.fixture
def cloud(_environment: None, rebuilt_cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch) -> Iterator[CloudProcess]:
    """The cloud, with no rebuild at the end of a test."""
    rebuilt_cloud.show(monkeypatch)
    yield rebuilt_cloud
    step = json_lines("rebuild", "--status", "--json")[0]["step"] if status() else None
    if step == "flipped":
        run_ok("rebuild", "--finish")
    elif step:
        run_ok("rebuild", "--cancel", "--wait", "0")


@pytest.fixture
def bounced(cloud: CloudProcess) -> str:
    """An address that is suppressed."""
    address = f"bounce+{uuid4().hex[:8]}@example.com"
    run_ok("send", "--to", address)
    cloud.settle()
    return address


def status() -> Any:
    """Return the rebuild that is not over; None if there is none."""
    [answer] = json_lines("rebuild", "--status", "--json")
    return answer if answer.get("id") else None


def is_suppressed(address: str) -> bool:
    return bool(json_lines("lookup", "--json", address)[0]["suppressed"])


def tables() -> dict[str, Any]:
    ssm = found_client("ssm")
    [parameter] = ssm.get_parameters_by_path(Path="/mailfold", Recursive=True)["Parameters"]
    answer: dict[str, Any] = json.loads(parameter["Value"])
    return answer


def test_a_rebuild_flips_rolls_back_and_finishes(bounced: str, cloud: CloudProcess) -> None:
    """Look-ups follow the pointer. What is sent meanwhile is in both tables."""
    old = tables()["live"]
    [result] = json_lines(*BEGIN)
    new = result["new_table"]
    assert (result["step"], result["is_equal_to_log"], result["disappearing"]) == ("flipped", True, {})
    assert tables() == {"live": new, "shadow_tables": [old]}
    later = f"bounce+later{uuid4().hex[:8]}@example.com"
    run_ok("send", "--to", later)
    cloud.settle()
    assert is_suppressed(bounced)
    assert is_suppressed(later)

    assert "is the live table again" in run("rebuild", "--rollback").stderr
    assert tables() == {"live": old, "shadow_tables": [new]}
    assert is_suppressed(later)
    json_lines(*RESUME)
    message = run_failing("rebuild", "--finish", "--delete-old", new)
    assert message == f"the old table is {old}, and not '{new}'"
    assert "the rebuild is over" in run("rebuild", "--finish", "--delete-old", old, "--wait", "1").stderr

    assert (tables(), status()) == ({"live": new}, None)
    assert old not in found_client("dynamodb").list_tables()["TableNames"]
    assert is_suppressed(bounced)


def test_no_answer_changes_nothing(bounced: str, terminal: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The difference is shown before the question. The rebuild can be resumed or cancelled."""
    before = tables()
    monkeypatch.setattr(prompt, "confirm", lambda *_, **__: False)
    result = run("rebuild", "--wait", "1")

    assert "facts that disappear: none" in result.stdout
    assert result.stderr.splitlines()[-1].startswith("nothing changed: `mailfold rebuild --resume`")
    assert tables()["live"] == before["live"]
    assert "at the step prove" in run_ok("rebuild", "--status")
    assert "as before" in run("rebuild", "--cancel", "--wait", "1").stderr
    assert (tables(), status()) == (before, None)


def test_a_second_rebuild_is_refused_in_one_sentence(bounced: str) -> None:
    """It says who holds it, and since when."""
    json_lines(*BEGIN)
    message = run_failing(*BEGIN)

    assert message.startswith("one rebuild at a time: ")
    assert "since 20" in message
    assert "at the step flipped" in message
    assert "--cancel is not possible" in run_failing("rebuild", "--cancel")


def test_a_rebuild_under_another_policy_binds_from_the_flip_on(bounced: str, tmp_path: Path) -> None:
    """Its version must be greater than that of the policy in force."""
    file = tmp_path / "policy.json"
    file.write_text('{"version": 1}')
    assert run_failing(*BEGIN, "--policy", str(file)).startswith("the policy in force has version 1")
    file.write_text('{"version": 2, "hard": null}')

    json_lines(*BEGIN, "--policy", str(file))
    assert not is_suppressed(bounced)
    run_ok("rebuild", "--rollback")
    assert is_suppressed(bounced)
    run_ok("rebuild", "--cancel", "--wait", "1")


def test_one_address_gets_the_facts_of_the_log(bounced: str, cloud: CloudProcess) -> None:
    """Facts that only the table has are shown, and disappear after a yes; what it lacks appears."""
    store = DynamoSuppressionStore(found_client("dynamodb"), table=tables()["live"])
    extra = a_bounce(recipients=[bounced], feedback_id=uuid4().hex)
    project(a_batch(extra), store=store)
    run_ok("ingest", "-", stdin=a_bounce(recipients=["ingested@example.com"], feedback_id=uuid4().hex))

    message = run_failing_last("rebuild", "--address", bounced, "--yes")
    assert message.startswith("mailfold: the table has facts whose events are not in the log")
    [result] = json_lines("rebuild", "--address", bounced, "--yes", "--drop-unlogged", "--json")
    assert (result["changed"], [len(each["disappears"]) for each in result["differences"]]) == (1, [1])
    assert "and no others" in run_ok("rebuild", "--address", bounced)
    assert is_suppressed(bounced)


def test_an_address_without_facts_in_the_log_has_no_item(cloud: CloudProcess) -> None:
    """And the next fact creates it again."""
    address = f"unknown-{uuid4().hex[:8]}@example.com"
    store = DynamoSuppressionStore(found_client("dynamodb"), table=tables()["live"])
    project(a_batch(a_bounce(recipients=[address])), store=store)
    items = {key: item.standing for key, item in store.scan() if key.address == address}

    run_ok("rebuild", "--address", address, "--yes", "--drop-unlogged")
    assert all(item.facts_hash == "" for item in store.load(items).values())
    assert merge(items, store=store, policy=DEFAULT_POLICY).written == len(items)


def run_failing_last(*arguments: str) -> str:
    """Run a command that must fail, and return its last line."""
    result = run(*arguments)
    assert result.exit_code == 1, result.output
    return result.stderr.splitlines()[-1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--resume", "--cancel"), "use one of"),
        (("--address", "a@example.com", "--finish"), "use one of"),
        (("--delete-old", "x"), "--delete-old is possible with --finish alone"),
        ((), "there is no terminal to ask on whether to change the live table: add --yes"),
    ],
)
def test_options_that_exclude_each_other_are_refused(
    arguments: tuple[str, ...], message: str, cloud: CloudProcess
) -> None:
    """Before anything is done."""
    assert run_failing("rebuild", *arguments).startswith(message)
    assert status() is None


@pytest.mark.parametrize("option", ["--resume", "--rollback", "--finish", "--cancel"])
def test_without_a_rebuild_there_is_nothing_to_go_on_with(option: str, cloud: CloudProcess) -> None:
    """It says how to begin one."""
    assert run_failing("rebuild", "--yes", option, exit_code=4).startswith("no rebuild has begun")


def test_a_text_that_is_no_address_is_refused(cloud: CloudProcess) -> None:
    """Like `lookup`."""
    assert run_failing("rebuild", "--address", "unknown", exit_code=1).endswith("is not exactly one e-mail address")
