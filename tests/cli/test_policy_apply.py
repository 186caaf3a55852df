"""`mailfold policy apply` publishes a policy and derives every verdict again, and can be repeated after any stop."""

import json
import re
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from botocore.client import BaseClient

from pipeline.aws.runtime import KNOWN_AFTER_SECONDS
from pipeline.cli import policy_apply, prompt
from pipeline.errors import StoreUnavailable
from pipeline.policy import Policy, parse_policy
from pipeline.replay import store_digest
from tests.support.builders import a_bounce
from tests.support.command import ROOT, json_lines, run, run_failing, run_ok
from tests.support.deployed import PARAMETER, TABLE, deployed
from tests.support.policy_deployment import (
    NEW,
    SHADOW,
    STACK,
    deployed_with_people,
    publish,
    published,
    reasons,
    store,
    versions,
    write_policy,
)
from tests.support.scenario import a_batch, project


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with deployed_with_people(monkeypatch):
        yield


@pytest.fixture
def new(tmp_path: Path) -> str:
    """The file of a new policy."""
    return write_policy(tmp_path, **NEW)


def test_a_policy_is_published_and_every_verdict_is_derived_again(stack: None, new: str) -> None:
    """In the live table and the shadow tables; the digests are printed, and stay."""
    before = store_digest(store())
    assert reasons() == ["hard", "complaint", None]

    result = run("policy", "apply", new, "--yes", "--wait", "0", *STACK)

    assert result.exit_code == 0, result.output
    assert "1 become suppressed" in result.stderr
    assert "@" not in result.output
    assert result.stdout.splitlines() == [
        f"{TABLE}: 3 items under policy version 2, 3 verdicts derived again",
        f"  digest {before}, as before",
        f"{SHADOW}: 3 items under policy version 2, 3 verdicts derived again",
        f"  digest {before}, as before",
    ]
    assert published() == parse_policy(json.dumps(NEW).encode())
    assert [versions(table) for table in (TABLE, SHADOW)] == [{2}, {2}]
    assert reasons() == ["hard", None, "soft"]
    assert store_digest(store()) == before


def test_the_result_is_json_on_request(stack: None, new: str) -> None:
    """With the difference, and the counts and digests of each table."""
    [found] = json_lines("policy", "apply", new, "--yes", "--wait", "0", "--json", *STACK)
    digest = store_digest(store())
    table = {"items": 3, "written": 3, "digest_before": digest, "digest_after": digest}
    assert found["tables"] == {TABLE: table, SHADOW: table}
    assert found["difference"]["changes"]["clear"]["total"] == 1
    assert found["version"] == 2


def test_a_policy_is_confirmed(stack: None, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """At a terminal by an answer, and else by --yes."""
    assert "use --yes to apply the policy" in run("policy", "apply", new, *STACK).stderr
    monkeypatch.setattr(prompt, "can_ask", lambda: True)
    result = run("policy", "apply", new, *STACK, stdin="n\n")
    assert result.exit_code == 0
    assert "nothing is changed" in result.stderr
    assert (published(), versions()) == (None, {1})
    assert run("policy", "apply", new, "--wait", "0", *STACK, stdin="y\n").exit_code == 0
    assert versions() == {2}


def test_an_older_policy_is_never_applied(stack: None, new: str) -> None:
    """Nor another one of the same version."""
    for policy in (Policy(version=3), Policy(version=2)):
        publish(policy)
        sentence = run_failing("policy", "apply", new, "--yes", *STACK)
        assert sentence.startswith(f"a policy of version {policy.version} is in force: give the new one a greater")
        assert published() == policy


def test_an_interrupted_one_is_finished_without_a_file(stack: None, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The policy is in force by then; what was derived is found done, and repeating it writes nothing."""
    with monkeypatch.context() as patch:
        patch.setattr(policy_apply, "_wait", interrupt)
        result = run("policy", "apply", new, "--yes", *STACK)
    assert result.exit_code == 130
    assert "`mailfold policy apply` without a file finishes it" in result.stderr
    project(a_batch(a_bounce(recipients=["dan@one.example"], feedback_id="4")), store=store())

    for written_now in (1, 0):
        [found] = json_lines("policy", "apply", "--wait", "0", "--json", *STACK)
        assert (found["tables"][TABLE]["written"], found["difference"]) == (written_now, None)
    assert versions() == {2}


def interrupt(*_: object) -> None:
    raise KeyboardInterrupt


def test_an_outage_says_how_to_go_on(stack: None, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exit code is that of a table that is not available."""

    def fail(*_: object, **__: object) -> None:
        raise StoreUnavailable("the table is slow")

    monkeypatch.setattr(policy_apply, "rederive_all", fail)
    result = run("policy", "apply", new, "--yes", *STACK)
    assert "stopped: the policy is in force" in result.stderr
    assert result.stderr.endswith("mailfold: the table is slow\n")
    assert result.exit_code == 5


def test_the_wait_is_stated_and_ends(stack: None, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """It begins with the publication, and the option's value is the whole of it."""
    now_seconds, shown = [0.0], list[str]()

    def sleep(seconds: float) -> None:
        now_seconds[0] += seconds

    monkeypatch.setattr("pipeline.cli.policy_apply.time.sleep", sleep)
    monkeypatch.setattr("pipeline.cli.policy_apply.time.monotonic", lambda: now_seconds[0])
    policy_apply._wait(2.5, shown.append)
    assert shown[0] == "waiting 2 s, until every projector has the policy"
    assert now_seconds == [2.5]


def test_a_policy_that_was_published_long_ago_needs_no_wait(stack: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Projectors have it: the doctor's command ends at once."""
    publish(Policy(version=2))
    waits: list[float] = []
    monkeypatch.setattr(policy_apply, "_wait", lambda until_seconds, _: waits.append(until_seconds))
    monkeypatch.setattr("pipeline.cli.policy_apply.time.monotonic", lambda: 0.0)
    run_ok("policy", "apply", *STACK)
    monkeypatch.setattr(policy_apply, "PUBLISHED_BEFORE", timedelta())
    run_ok("policy", "apply", *STACK)
    assert waits == [KNOWN_AFTER_SECONDS, 0.0]


def test_without_the_parameter_it_says_how_to_create_it(new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`deploy` creates it."""
    with deployed(monkeypatch):
        sentence = run("policy", "apply", new, "--yes", *STACK)
        assert f"there is no parameter {PARAMETER} that names the live table" in sentence.stderr
        assert sentence.exit_code == 4


def test_feedback_that_arrives_meanwhile_is_said(stack: None, new: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The digests then differ, by its facts."""
    late = a_batch(a_bounce(recipients=["dan@one.example"], feedback_id="4"))
    monkeypatch.setattr(policy_apply, "_wait", lambda *_: project(late, store=store()))
    lines = run_ok("policy", "apply", new, "--yes", *STACK).splitlines()
    assert lines[0] == f"{TABLE}: 4 items under policy version 2, 4 verdicts derived again"
    assert lines[1].endswith(": feedback arrived meanwhile")


SHOW = {"cloudformation:DescribeStacks", "ssm:GetParameter"}
PERMISSIONS = {
    "`policy show`, `policy check`": (["show"], SHOW),
    "`policy diff`": (["diff", "FILE"], SHOW | {"s3:ListBucket", "s3:GetObject"}),
    "`policy diff --source table`": (["diff", "FILE", "--source", "table"], SHOW | {"dynamodb:Scan"}),
    "`policy apply`": (
        ["apply", "FILE", "--yes", "--wait", "0"],
        SHOW | {"ssm:PutParameter", "dynamodb:Scan", "dynamodb:BatchGetItem", "dynamodb:PutItem"},
    ),
}
ACTIONS = {"s3:ListObjectsV2": "s3:ListBucket", "dynamodb:TransactWriteItems": "dynamodb:PutItem"}


@pytest.mark.parametrize("command", PERMISSIONS)
def test_the_permissions_of_a_command_are_in_the_readme(
    stack: None, new: str, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A person without the others can run it."""
    arguments, actions = PERMISSIONS[command]
    calls, call = set[str](), vars(BaseClient)["_make_api_call"]

    def record(self: BaseClient, operation: str, parameters: dict[str, Any]) -> Any:
        action = f"{self.meta.service_model.service_name}:{operation}"
        calls.add(ACTIONS.get(action, action))
        return call(self, operation, parameters)

    monkeypatch.setattr(BaseClient, "_make_api_call", record)
    run_ok("policy", *(new if argument == "FILE" else argument for argument in arguments), *STACK)
    assert calls == actions

    text = (ROOT / "infra/README.md").read_text(encoding="utf-8")
    row = re.search(rf"^- {command}: (.*(?:\n  .*)*)$", text, re.MULTILINE)
    assert row
    own = actions if command == next(iter(PERMISSIONS)) else actions - SHOW
    assert set(re.findall(r"`(\w+:\w+)`", row[1])) == own
