"""`mailfold policy` shows the policy in force, checks others, and says what they would change."""

import json
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import boto3
import pytest

from pipeline.aws.stack import SuppressionTables, format_tables
from pipeline.policy import DEFAULT_POLICY, Policy
from pipeline.policy_check import policy_hash
from tests.support.builders import a_bounce
from tests.support.command import json_lines, run, run_failing, run_ok
from tests.support.deployed import PARAMETER, TABLE, bucket, deployed
from tests.support.policy_deployment import (
    NEW,
    SHADOW,
    STACK,
    deployed_with_people,
    publish,
    published,
    store,
    versions,
    write_policy,
)
from tests.support.scenario import a_batch, project

ALMOST_FOR_GOOD = "suppresses for 36,600 days after the newest"


@pytest.fixture
def stack(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with deployed_with_people(monkeypatch):
        yield


@pytest.fixture
def new(tmp_path: Path) -> str:
    """The file of a new policy."""
    return write_policy(tmp_path, **NEW)


# show


def test_the_default_policy_is_in_force_until_another_one_is_published(stack: None) -> None:
    """Each rule is a line in plain words."""
    lines = run_ok("policy", "show", *STACK).splitlines()
    assert lines[0] == "policy version 1, the default, because no other one is published"
    assert lines[1] == f"SHA-256 {policy_hash(DEFAULT_POLICY)}"
    rules = dict(re.split(r"  +", line.strip(), maxsplit=1) for line in lines[2:])
    assert rules["hard"] == "suppresses permanently"
    assert rules["listed"] == "suppresses for 14 days after the newest, except essential mail"
    assert rules["forwarded"] == rules["soft"] == "does not suppress"
    assert rules["not_spam"] == "lifts complaints that are not later"
    assert {*rules} == {*Policy.__struct_fields__[1:], "operator"}


def test_a_published_policy_shows_its_parameter_and_time(stack: None) -> None:
    """As people and as programs read it; the JSON has a policy that can be changed and applied."""
    publish(Policy(version=3, not_spam=False))
    [found] = json_lines("policy", "show", "--json", *STACK)
    changed_at = datetime.fromisoformat(found["changed_at"])
    assert timedelta() <= datetime.now(UTC) - changed_at < timedelta(minutes=5)
    assert found["policy"]["not_spam"] is False
    assert (found["version"], found["source"], found["parameter"]) == (3, "parameter", PARAMETER)
    first, *_ = run_ok("policy", "show", *STACK).splitlines()
    assert first == f"policy version 3, published in the parameter {PARAMETER}, last written {found['changed_at']}"
    assert "not_spam             lifts nothing" in run_ok("policy", "show", *STACK)


@pytest.mark.parametrize(("published_version", "source"), [(2, "template"), (4, "parameter")])
def test_the_newer_one_of_template_and_parameter_is_in_force(
    published_version: int, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its source is named."""
    with deployed(monkeypatch, Policy='{"version": 3}'):
        publish(Policy(version=published_version))
        [found] = json_lines("policy", "show", "--json", *STACK)
        assert (found["version"], found["source"]) == (max(3, published_version), source)
        assert ("template" in run_ok("policy", "show", *STACK)) == (source == "template")


def test_a_policy_of_the_environment_is_named(stack: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without a stack, variables name table, bucket and policy."""
    monkeypatch.setenv("MAILFOLD_TABLE", TABLE)
    monkeypatch.setenv("MAILFOLD_BUCKET", bucket())
    monkeypatch.setenv("MAILFOLD_POLICY", '{"version": 5}')
    assert "policy version 5, from the environment variable MAILFOLD_POLICY" in run_ok("policy", "show")
    sentence = run_failing("policy", "apply")
    assert sentence.startswith("no parameter names the live table, so no policy can be published")


def test_the_environment_may_name_the_parameter(stack: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its live table, its shadow tables and its policy are those of every command, as in a stack."""
    for name, value in {"TABLE": TABLE, "BUCKET": bucket(), "TABLES_PARAMETER": PARAMETER}.items():
        monkeypatch.setenv(f"MAILFOLD_{name}", value)
    tables = SuppressionTables(live=SHADOW, shadow_tables=(TABLE,), policy=Policy(version=3))
    boto3.client("ssm").put_parameter(Name=PARAMETER, Value=format_tables(tables), Overwrite=True)
    [found] = json_lines("policy", "show", "--json")
    assert (found["version"], found["source"]) == (3, "parameter")
    project(a_batch(a_bounce(recipients=["dan@one.example"])), store=store(SHADOW))
    assert "suppressed" in run_ok("lookup", "dan@one.example")
    run_ok("ingest", "-", stdin=a_bounce(recipients=["eve@one.example"]))
    assert [versions(table) for table in (SHADOW, TABLE)] == [{1, 3}, {1, 3}]


# check


def test_every_problem_is_named_and_the_exit_code_is_1(stack: None, tmp_path: Path) -> None:
    """Places as in the JSON document; the error counts them."""
    file = write_policy(tmp_path, version=2, hard={"exempt": 1}, harder=None)
    result = run("policy", "check", file, *STACK)
    problems = ["$.harder: there is no such field", "$.hard.exempt: Expected `array`, got `int`"]
    assert result.stdout.splitlines() == problems
    assert "the policy has 2 problems: correct it" in result.stderr
    assert result.exit_code == 1
    result = run("policy", "check", "--json", file, *STACK)
    assert json.loads(result.stdout) == {"valid": False, "problems": problems}


def test_what_differs_from_the_policy_in_force_is_said(stack: None, new: str) -> None:
    """Each field with both values in plain words."""
    lines = run_ok("policy", "check", new, *STACK).splitlines()
    assert lines[0].startswith("policy version 2 is valid, SHA-256 ")
    assert lines[1:] == [
        "it differs from version 1, which is in force:",
        "  version              1 -> 2",
        f"  hard                 suppresses permanently -> {ALMOST_FOR_GOOD}",
        "  complaint            suppresses permanently, except essential mail -> does not suppress",
        f"  soft                 does not suppress -> 1 mail within 1 day: {ALMOST_FOR_GOOD}, except essential mail",
    ]
    [found] = json_lines("policy", "check", "--json", new, *STACK)
    assert (found["valid"], found["in_force"]) == (True, 1)
    assert found["differs"] == ["version", "hard", "complaint", "soft"]


@pytest.mark.parametrize("version", [3, 2])
def test_the_version_must_be_greater_than_the_one_in_force(stack: None, new: str, version: int) -> None:
    """Otherwise items would keep verdicts of the other one."""
    publish(Policy(version=version))
    result = run("policy", "check", new, *STACK)
    assert result.stdout == f"$.version: 2 is not greater than {version}, the version in force\n"
    assert result.exit_code == 1


def test_the_policy_in_force_is_recognized(stack: None, tmp_path: Path) -> None:
    """Nothing is to be applied."""
    [found] = json_lines("policy", "show", "--json", *STACK)
    file = write_policy(tmp_path, **found["policy"])
    assert "it is the policy in force" in run_ok("policy", "check", file, *STACK)


def test_a_file_is_checked_without_a_cloud(new: str) -> None:
    """Its validity needs none."""
    result = run("policy", "check", new)
    assert (result.exit_code, result.stdout.count("\n")) == (0, 1)
    assert "no cloud is named or runs here" in result.stderr
    [found] = json_lines("policy", "check", "--json", new)
    assert (found["in_force"], found["differs"]) == (None, None)
    assert json_lines("policy", "check", "--json", "-", stdin=Path(new).read_bytes()) == [found]


def test_a_file_that_does_not_exist_is_one_sentence(tmp_path: Path) -> None:
    """It names the file."""
    assert "No such file or directory" in run_failing("policy", "check", str(tmp_path / "none"), exit_code=1)


# diff


@pytest.mark.parametrize("source", ["log", "table"])
def test_the_difference_is_said_before_anything_changes(stack: None, new: str, source: str) -> None:
    """By reason, provider and scope, with examples, from the log as from the table."""
    before = dict(store().scan())
    lines = run_ok("policy", "diff", new, "--source", source, "--as-of", "2026-03-02", *STACK).splitlines()
    assert lines == [
        "policy version 2 in place of 1, at 2026-03-02T00:00:00.000Z:",
        "1 become suppressed",
        "  by reason    soft 1",
        "  by provider  two.example 1",
        "  by scope     * 1",
        "  cyd@two.example: clear -> soft until 2126-05-16T12:00:02.000Z except essential mail",
        "1 become clear",
        "  by reason    complaint 1",
        "  by provider  two.example 1",
        "  by scope     * 1",
        "  bob@two.example: complaint except essential mail -> clear",
        "1 stay suppressed, for other reasons, until another time or with other exempt purposes",
        "  by reason    hard 1",
        "  by provider  one.example 1",
        "  by scope     * 1",
        "  ada@one.example: hard -> hard until 2126-05-16T12:00:02.000Z",
        "0 stay as they are (addresses, in each scope of which a fact is known)",
    ]
    assert dict(store().scan()) == before
    assert published() is None


def test_addresses_are_left_out_on_request(stack: None, new: str) -> None:
    """In text and JSON."""
    assert "@" not in run_ok("policy", "diff", new, "--no-addresses", *STACK)
    assert "@" not in run_ok("policy", "diff", new, "--no-addresses", "--json", *STACK)


def test_every_change_is_written_to_a_file(stack: None, new: str, tmp_path: Path) -> None:
    """Only its user can read it, and an existing one is not replaced."""
    output = tmp_path / "changes.ndjson"
    [found] = json_lines("policy", "diff", new, "--json", "--output", str(output), "--as-of", "2026-03-02", *STACK)
    changes = {change["address"]: change for change in map(json.loads, output.read_text().splitlines())}
    assert {address: change["change"] for address, change in changes.items()} == {
        "ada@one.example": "otherwise",
        "bob@two.example": "clear",
        "cyd@two.example": "suppressed",
    }
    assert [held["reason"] for held in changes["cyd@two.example"]["after"]] == ["soft"]
    assert found["changes"]["clear"]["examples"] == [changes["bob@two.example"]]
    assert found["changes"]["clear"]["providers"] == {"two.example": 1}
    assert (found["before"], found["after"], found["source"], found["unchanged"]) == (1, 2, "log", 0)
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert "exists: name a new one" in run_failing("policy", "diff", new, "--output", str(output), *STACK)


def test_the_moment_decides_what_has_expired(stack: None, tmp_path: Path) -> None:
    """A bounce that suppresses for a day is over after two."""
    file = write_policy(tmp_path, version=2, hard={"expiry_seconds": 86_400})
    for moment, kind in (("2026-03-02", "otherwise"), ("2026-03-05", "clear")):
        [found] = json_lines("policy", "diff", file, "--json", "--as-of", moment, *STACK)
        assert {name for name, counts in found["changes"].items() if counts["total"]} == {kind}


def test_few_providers_are_named_and_the_rest_is_counted(stack: None, tmp_path: Path) -> None:
    """As many as wanted."""
    people = [f"ada@{number}.example" for number in range(4)]
    project(a_batch(a_bounce(recipients=people, feedback_id="many")), store=store())
    file = write_policy(tmp_path, version=2, hard=None)
    text = run_ok("policy", "diff", file, "--source", "table", "--top", "2", *STACK)
    assert re.search(r"by provider  \S+ 1, \S+ 1, others 3\n", text)


def test_an_object_that_is_skipped_makes_the_difference_incomplete(stack: None, new: str) -> None:
    """It is named, and the exit code is 1."""
    boto3.client("s3").put_object(Bucket=bucket(), Key="events/dt=2026-03-01/hr=12/broken.parquet", Body=b"broken")
    result = run("policy", "diff", new, "--json", *STACK)
    assert "broken.parquet" in result.stderr
    assert "1 object of the log skipped: facts in them are missing" in result.stderr
    assert [uri.rpartition("/")[2] for uri in json.loads(result.stdout)["skipped"]] == ["broken.parquet"]
    assert result.exit_code == 1
