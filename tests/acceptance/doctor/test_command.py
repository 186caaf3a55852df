"""Tests of `mailfold doctor`, for people and for programs."""

import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from pipeline.aws import clients
from pipeline.aws.doctor import canary
from pipeline.aws.doctor.checks import CHECKS
from pipeline.aws.doctor.permissions import doctor_policy
from pipeline.cli.doctor import NAME_WIDTH
from tests.acceptance.doctor.deployment_fixture import STACK, DeploymentFixture
from tests.acceptance.doctor.injected_feedback_faults import FAULTS
from tests.acceptance.doctor.test_healthy_deployment import EMULATOR_LIMITS
from tests.cli.conftest import clean
from tests.cli.test_readme import examples
from tests.support.command import json_lines, run, run_failing, run_ok

pytestmark = pytest.mark.slow

[RULE_DISABLED] = [fault for fault in FAULTS if fault.finding == "rule_disabled"]


@pytest.fixture(autouse=True)
def _operator(deployed: DeploymentFixture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands use the emulator, with the operator's credentials and without a rate limit of SES."""
    clean(monkeypatch)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(clients, "SES_SECONDS", 0.0)
    for name, value in deployed.account.environment().items():
        monkeypatch.setenv(name, value)


def test_healthy_deployment() -> None:
    """Every check has a line, in order. Warnings show their remedy and keep the exit code 0."""
    result = run("doctor", "--stack", STACK)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    findings = [line for line in lines if not line.startswith("    →")]
    assert [line[2:][:NAME_WIDTH].rstrip() for line in findings] == [check.name for check in CHECKS]
    assert {line[0] for line in findings} == {"✓", "!"}
    assert len(lines) - len(findings) == len(EMULATOR_LIMITS)
    assert result.stderr.splitlines()[-1] == "0 errors, 3 warnings"


def test_example_of_the_help_text_runs() -> None:
    """The help text's example is a valid command."""
    assert run_ok(*shlex.split(examples()["doctor"])[1:])


def test_error(deployed: DeploymentFixture) -> None:
    """An error is printed with its remedy below it, and makes the exit code 1."""
    assert RULE_DISABLED.inject(deployed) is None
    try:
        result = run("doctor", "--stack", STACK)
        assert result.exit_code == 1
        lines = result.stdout.splitlines()
        [index] = [index for index, line in enumerate(lines) if line.startswith("✗")]
        assert lines[index] == f"✗ {'rule':<18} the rule mail-feedback is disabled: no feedback reaches the table"
        assert lines[index + 1] == "    → aws events enable-rule --name mail-feedback --region eu-west-1"
        assert result.stderr.splitlines()[-1] == "1 error, 3 warnings"
    finally:
        deployed.client("events").enable_rule(Name=deployed["FeedbackRule"])


def test_json_output() -> None:
    """Each finding is one line of JSON with the same keys."""
    findings = json_lines("doctor", "--stack", STACK, "--json")
    assert all(finding.keys() == {"check", "severity", "name", "message", "remedy"} for finding in findings)
    assert {finding["name"] for finding in findings if finding["severity"] != "ok"} == EMULATOR_LIMITS


def test_canary_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    """The emulator publishes no events, so each hop after SES is reported as missing, and the exit code is 1."""
    monkeypatch.setattr(canary, "TABLE_SECONDS", 0.0)
    monkeypatch.setattr(canary, "_find_in_log", lambda *_: None)
    monkeypatch.setattr(canary, "LOG_SLACK", 0.0)
    monkeypatch.setattr(canary, "LOG_SLACK_SECONDS", 0.0)
    result = run("doctor", "--stack", STACK, "--canary")
    assert result.exit_code == 1
    lines = [line for line in result.stdout.splitlines() if "canary" in line]
    assert [line[:15].rstrip() for line in lines] == ["✓ canary, SES", "✗ canary, table", "✗ canary, log"]
    json_result = run("doctor", "--stack", STACK, "--canary", "--json")
    hops: list[Any] = [json.loads(line) for line in json_result.stdout.splitlines() if '"hop"' in line]
    assert [hop["hop"] for hop in hops] == ["SES", "table", "log"]
    assert hops[0]["seconds"] >= 0
    assert hops[1]["seconds"] is None
    assert hops[1]["remedy"]


def test_policy_that_the_command_needs() -> None:
    """--permissions prints the IAM policy and needs no stack."""
    assert json.loads(run_ok("doctor", "--permissions")) == doctor_policy()


def test_missing_stack() -> None:
    """An unknown stack is a usage error that names the region."""
    assert run_failing("doctor", "--stack", "nothing", exit_code=4).startswith(
        "there is no stack nothing in eu-west-1: "
    )


def test_stack_is_required() -> None:
    """Without --stack the command fails, and its message names the option."""
    assert run_failing("doctor").startswith("which stack? ")


def test_sender_without_canary() -> None:
    """--from is only valid with --canary."""
    assert "--canary" in run_failing("doctor", "--stack", STACK, "--from", "ann@example.com")


def test_without_region(monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing region is a usage error."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "You must specify a region" in run_failing("doctor", "--stack", STACK, exit_code=3)
