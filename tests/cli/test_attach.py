"""`mailfold attach`: it asks before SES changes mail, is safe to repeat, and names the next command."""

import json
import shlex
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.cli.attach import attach_command
from tests.support.command import good, refused, run, told
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
    return {*ses.sets["newsletter"]["archive"]["MatchingEventTypes"]}


def test_the_example_of_its_help_runs(ses: FakeSes) -> None:
    help_ = attach_command.__doc__ or ""
    example = help_.partition("Example: ")[2].strip()
    assert good(*shlex.split(example)[1:]) == "destination archive: created\ndestination feedback: created\n"


def test_it_says_what_it_did_and_the_second_time_that_there_was_nothing_to_do(ses: FakeSes) -> None:
    assert told(*COMMAND, QUIET, "--json") == [
        {"configuration_set": "newsletter", "destinations": {"archive": "created", "feedback": "created"}}
    ]
    assert good(*COMMAND, QUIET) == "destination archive: unchanged\ndestination feedback: unchanged\n"
    target = ses.sets["newsletter"]["archive"]["KinesisFirehoseDestination"]
    assert target == {"IamRoleArn": OUTPUTS["SesRoleArn"], "DeliveryStreamArn": OUTPUTS["DeliveryStreamArn"]}


def test_whether_to_track_is_asked_on_a_terminal_and_nothing_by_default(
    ses: FakeSes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pipeline.cli.prompt.can_ask", lambda: True)
    result = run(*COMMAND, given="\n")
    assert result.exit_code == 0
    assert "changes the mail" in result.stderr
    assert "OPEN" not in types(ses)


def test_whether_to_track_has_to_be_said_where_nobody_can_be_asked(ses: FakeSes) -> None:
    assert refused(*COMMAND).startswith("use --track-engagement or --no-track-engagement")
    assert ses.changes() == []


def test_what_was_said_once_stays_until_something_else_is_said(ses: FakeSes) -> None:
    good(*COMMAND, "--track-engagement")
    assert good(*COMMAND).splitlines()[0] == "destination archive: unchanged"
    assert {"OPEN", "CLICK"} < types(ses)
    assert good(*COMMAND, QUIET).splitlines()[0] == "destination archive: updated"
    assert types(ses).isdisjoint({"OPEN", "CLICK"})


def test_a_set_that_the_stack_does_not_let_in_says_what_to_run_first(ses: FakeSes) -> None:
    sentence = refused("attach", "receipts", QUIET, "--stack", NAME)
    assert (
        f"`mailfold deploy --stack {NAME} --region eu-west-1 --param ConfigurationSets=newsletter,receipts`" in sentence
    )
    assert ses.changes() == []


def test_a_set_that_is_not_there_is_named(ses: FakeSes) -> None:
    del ses.sets["newsletter"]
    assert refused(*COMMAND, QUIET).startswith("there is no configuration set newsletter in eu-west-1")


def test_a_destination_that_leads_elsewhere_is_taken_over_only_with_replace(ses: FakeSes) -> None:
    target: dict[str, Any] = {"IamRoleArn": "arn:role", "DeliveryStreamArn": "arn:of-another-stack"}
    ses.sets["newsletter"]["archive"] = {"Name": "archive", "Enabled": True, "KinesisFirehoseDestination": target}
    assert "arn:of-another-stack" in refused(*COMMAND, QUIET)
    assert ses.changes() == []
    assert json.loads(good(*COMMAND, QUIET, "--replace", "--json"))["destinations"]["archive"] == "replaced"


def test_a_stack_has_to_be_named() -> None:
    assert refused("attach", "newsletter").startswith("which stack? Name it with --stack")
