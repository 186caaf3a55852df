"""`mailfold attach`: it asks before SES changes mail, is safe to repeat, and names the next command."""

import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.cli.attach import attach_command
from tests.support.command import json_lines, run, run_failing, run_ok
from tests.support.deployed import NAME, OUTPUTS, deployed, put_behind
from tests.support.fake_ses import FakeSes

COMMAND = ["attach", "newsletter", "--stack", NAME]
QUIET = "--no-track-engagement"


@pytest.fixture
def ses(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSes]:
    """SES with one configuration set that the stack accepts, and one that it does not."""
    ses = FakeSes({"newsletter": [], "receipts": []})
    with deployed(monkeypatch):
        put_behind(monkeypatch, sesv2=ses.client())
        yield ses


def types(ses: FakeSes) -> set[str]:
    """Return the event types of the destination `archive`."""
    return {*ses.sets["newsletter"]["archive"]["MatchingEventTypes"]}


def test_the_example_in_the_help_runs(ses: FakeSes) -> None:
    """The example creates both destinations."""
    help_ = attach_command.__doc__ or ""
    example = help_.partition("Example: ")[2].strip()
    assert run_ok(*shlex.split(example)[1:]) == "destination archive: created\ndestination feedback: created\n"


def test_attaching_twice_reports_created_and_then_unchanged(ses: FakeSes) -> None:
    """The first run reports new destinations, and the second one no changes."""
    assert json_lines(*COMMAND, QUIET, "--json") == [
        {"configuration_set": "newsletter", "destinations": {"archive": "created", "feedback": "created"}}
    ]
    assert run_ok(*COMMAND, QUIET) == "destination archive: unchanged\ndestination feedback: unchanged\n"
    target = ses.sets["newsletter"]["archive"]["KinesisFirehoseDestination"]
    assert target == {"IamRoleArn": OUTPUTS["SesRoleArn"], "DeliveryStreamArn": OUTPUTS["DeliveryStreamArn"]}


def test_tracking_is_asked_at_a_terminal(ses: FakeSes, monkeypatch: pytest.MonkeyPatch) -> None:
    """The question says that SES changes the mail, and Enter means no."""
    monkeypatch.setattr("pipeline.cli.prompt.can_ask", lambda: True)
    result = run(*COMMAND, stdin="\n")
    assert result.exit_code == 0
    assert "changes the mail" in result.stderr
    assert "OPEN" not in types(ses)


def test_tracking_must_be_given_without_a_terminal(ses: FakeSes) -> None:
    """The message names both options, and nothing is changed."""
    assert run_failing(*COMMAND).startswith("use --track-engagement or --no-track-engagement")
    assert ses.changes() == []


def test_tracking_is_kept_until_it_is_changed(ses: FakeSes) -> None:
    """Without an option a second run keeps the setting, and an option changes it."""
    run_ok(*COMMAND, "--track-engagement")
    assert run_ok(*COMMAND).splitlines()[0] == "destination archive: unchanged"
    assert {"OPEN", "CLICK"} < types(ses)
    assert run_ok(*COMMAND, QUIET).splitlines()[0] == "destination archive: updated"
    assert types(ses).isdisjoint({"OPEN", "CLICK"})


def test_a_set_that_the_stack_does_not_accept_names_the_command(ses: FakeSes) -> None:
    """The message contains the deploy command with all accepted sets, and nothing is changed."""
    sentence = run_failing("attach", "receipts", QUIET, "--stack", NAME)
    assert (
        f"`mailfold deploy --stack {NAME} --region eu-west-1 --param ConfigurationSets=newsletter,receipts`" in sentence
    )
    assert ses.changes() == []


def test_a_missing_set_is_reported(ses: FakeSes) -> None:
    """The message names the set and the region."""
    del ses.sets["newsletter"]
    assert run_failing(*COMMAND, QUIET, exit_code=4).startswith("there is no configuration set newsletter in eu-west-1")


def test_a_destination_elsewhere_is_replaced_with_an_option(ses: FakeSes) -> None:
    """Without --replace the message names the target, and nothing is changed."""
    target: dict[str, Any] = {"IamRoleArn": "arn:role", "DeliveryStreamArn": "arn:of-another-stack"}
    ses.sets["newsletter"]["archive"] = {"Name": "archive", "Enabled": True, "KinesisFirehoseDestination": target}
    assert "arn:of-another-stack" in run_failing(*COMMAND, QUIET)
    assert ses.changes() == []
    assert json.loads(run_ok(*COMMAND, QUIET, "--replace", "--json"))["destinations"]["archive"] == "replaced"


def test_a_stack_must_be_named() -> None:
    """Without a stack the message names the option."""
    assert run_failing("attach", "newsletter").startswith("which stack? Name it with --stack")
