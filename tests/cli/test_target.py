"""The commands work on the cloud that the environment names, or on the local one, and never on another."""

import os

import pytest

from tests.support.cloud_process import CloudProcess
from tests.support.command import good, refused

COMMANDS = {
    "lookup": ["lookup", "ann@example.com"],
    "query": ["query", "SELECT 1"],
    "replay": ["replay"],
    "replay into": ["replay", "--into", "another"],
    "ingest": ["ingest", __file__],
}


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS is named, as a user has it in the environment."""
    monkeypatch.setenv("MAILFOLD_TABLE", "a-table")
    monkeypatch.setenv("MAILFOLD_BUCKET", "a-bucket")


@pytest.fixture
def keys(named: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-key")


@pytest.mark.parametrize("command", COMMANDS)
def test_without_credentials_it_says_what_to_set(
    command: str, named: None, cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Although a local cloud runs: what is named is meant."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    sentence = refused(*COMMANDS[command])
    assert sentence.startswith("boto3 is not set up: Unable to locate credentials. Set AWS_PROFILE")


@pytest.mark.parametrize("command", ["lookup", "query"])
def test_without_a_region_it_says_what_to_set(command: str, keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    sentence = refused(*COMMANDS[command])
    assert sentence.startswith("boto3 is not set up: You must specify a region. Set AWS_PROFILE, or AWS_DEFAULT_REGION")


def test_a_profile_that_is_not_there_is_named(keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    assert "no-such-profile" in refused("lookup", "ann@example.com")


@pytest.mark.parametrize(
    ("variable", "other"), [("MAILFOLD_TABLE", "MAILFOLD_BUCKET"), ("MAILFOLD_BUCKET", "MAILFOLD_TABLE")]
)
def test_half_a_name_is_refused_and_the_other_half_said(
    variable: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "a-name")
    assert refused("lookup", "ann@example.com").startswith(f"{other} is not set")


def test_a_policy_that_is_none_is_refused(cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAILFOLD_POLICY", "{}}")
    assert "not a policy" in refused("replay")


def test_nothing_is_sent_to_real_people_by_accident(keys: None) -> None:
    assert refused("send", "--to", "ann@example.com").startswith("this works on a local cloud, or on a stack")


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_a_cloud_that_is_away_is_an_outage_in_one_sentence(
    command: str, keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "EndpointConnectionError" in refused(*COMMANDS[command], exit_code=1)


def test_the_environment_is_left_as_it_was(cloud: CloudProcess) -> None:
    before = dict(os.environ)
    good("lookup", "ann@example.com")
    assert before == dict(os.environ)
