"""`mailfold doctor`, as people and programs see it."""

import json
import shlex
from pathlib import Path
from typing import Any

import boto3
import pytest

from pipeline.aws import clients
from pipeline.aws.doctor import canary
from pipeline.aws.doctor.checks import LINKS
from pipeline.aws.doctor.permissions import document
from pipeline.cli.doctor import LINK_WIDTH
from tests.acceptance.doctor.deployment_fixture import STACK, Patient
from tests.acceptance.doctor.injected_feedback_faults import PLANTS
from tests.acceptance.doctor.test_healthy_deployment import EMULATOR_CANNOT_KNOW
from tests.cli.conftest import clean
from tests.cli.test_readme import examples
from tests.support.command import good, refused, run, told

pytestmark = pytest.mark.slow

[RULE_DISABLED] = [plant for plant in PLANTS if plant.finding == "rule_disabled"]


@pytest.fixture(autouse=True)
def _operator(patient: Patient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands find the emulator, act as the operator of its account, and ask SES as fast as it answers."""
    clean(monkeypatch)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it would keep the credentials of whoever came before
    monkeypatch.setattr(clients, "SES_SECONDS", 0.0)
    for name, value in patient.account.environment().items():
        monkeypatch.setenv(name, value)


def test_a_deployment_that_is_well(patient: Patient) -> None:
    """Every link has a line, in the order of the flow; warnings are shown with how to mend them, and are no fault."""
    result = run("doctor", "--stack", STACK)
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    shown = [line for line in lines if not line.startswith("    →")]
    assert [line[2:][:LINK_WIDTH].rstrip() for line in shown] == [link.name for link in LINKS]
    assert {line[0] for line in shown} == {"✓", "!"}
    assert len(lines) - len(shown) == len(EMULATOR_CANNOT_KNOW)
    assert result.stderr.splitlines()[-1] == "0 faults, 2 warnings"


def test_the_example_of_its_help_runs() -> None:
    assert good(*shlex.split(examples()["doctor"])[1:])


def test_a_fault(patient: Patient) -> None:
    """It is told in words, with the command that mends it below it, and makes the exit code 1."""
    assert RULE_DISABLED.by(patient) is None
    try:
        result = run("doctor", "--stack", STACK)
        assert result.exit_code == 1
        lines = result.stdout.splitlines()
        [at] = [index for index, line in enumerate(lines) if line.startswith("✗")]
        assert lines[at] == f"✗ {'rule':<18} the rule mail-feedback is disabled, so that no feedback reaches the table"
        assert lines[at + 1] == "    → aws events enable-rule --name mail-feedback --region eu-west-1"
        assert result.stderr.splitlines()[-1] == "1 fault, 2 warnings"
    finally:
        patient.client("events").enable_rule(Name=patient["FeedbackRule"])


def test_for_programs(patient: Patient) -> None:
    findings = told("doctor", "--stack", STACK, "--json")
    assert all(finding.keys() == {"link", "severity", "name", "words", "mending"} for finding in findings)
    assert {finding["name"] for finding in findings if finding["severity"] != "good"} == EMULATOR_CANNOT_KNOW


def test_a_canary_that_is_lost(patient: Patient, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody publishes events here: SES takes it, and it is told where it was lost, in words and in the exit code."""
    monkeypatch.setattr(canary, "TABLE_SECONDS", 0.0)
    monkeypatch.setattr(canary, "_in_log", lambda *_: None)
    monkeypatch.setattr(canary, "LOG_SLACK", 0.0)
    monkeypatch.setattr(canary, "LOG_SLACK_SECONDS", 0.0)
    result = run("doctor", "--stack", STACK, "--canary")
    assert result.exit_code == 1
    lines = [line for line in result.stdout.splitlines() if "canary" in line]
    assert [line[:15].rstrip() for line in lines] == ["✓ canary, SES", "✗ canary, table", "✗ canary, log"]
    asjson = run("doctor", "--stack", STACK, "--canary", "--json")
    hops: list[Any] = [json.loads(line) for line in asjson.stdout.splitlines() if '"hop"' in line]
    assert [hop["hop"] for hop in hops] == ["SES", "table", "log"]
    assert hops[0]["seconds"] >= 0
    assert hops[1]["seconds"] is None
    assert hops[1]["mending"]


def test_the_policy_that_it_needs() -> None:
    assert json.loads(good("doctor", "--permissions")) == document()


def test_a_stack_that_is_not_there() -> None:
    assert refused("doctor", "--stack", "nothing").startswith("there is no stack nothing in eu-west-1: ")


def test_which_stack_has_to_be_said() -> None:
    assert refused("doctor").startswith("which stack? ")


def test_a_sender_without_a_canary() -> None:
    assert "--canary" in refused("doctor", "--stack", STACK, "--from", "ann@example.com")


def test_without_a_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    assert "You must specify a region" in refused("doctor", "--stack", STACK, exit_code=3)
