"""Commands work on the cloud that the environment names, or else on the local one."""

import os

import pytest
from botocore.stub import Stubber

from pipeline.aws.clients import create_client
from pipeline.local.discovery import find
from tests.support.cloud_process import CloudProcess
from tests.support.command import ROOT, run_failing, run_ok

COMMANDS = {
    "lookup": ["lookup", "ann@example.com"],
    "query": ["query", "SELECT 1"],
    "replay": ["replay"],
    "replay into": ["replay", "--into", "another"],
    "ingest": ["ingest", __file__],
    "quarantine": ["quarantine", "list"],
    "policy diff": ["policy", "diff", str(ROOT / "schemas/policy.json")],
}


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names AWS."""
    monkeypatch.setenv("MAILFOLD_TABLE", "a-table")
    monkeypatch.setenv("MAILFOLD_BUCKET", "a-bucket")


@pytest.fixture
def keys(named: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The environment names AWS and has credentials and a region."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an-id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a-key")


@pytest.mark.parametrize("command", COMMANDS)
def test_without_credentials_it_says_what_to_set(
    command: str, named: None, cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Missing credentials for the named cloud exit with 3, although a local cloud runs."""
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    sentence = run_failing(*COMMANDS[command], exit_code=3)
    assert "Unable to locate credentials. Sign in again, or set AWS_PROFILE" in sentence


@pytest.mark.parametrize("command", ["lookup", "query"])
def test_without_a_region_it_says_what_to_set(command: str, keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A missing region exits with 3 and says what to set."""
    monkeypatch.delenv("AWS_DEFAULT_REGION")
    sentence = run_failing(*COMMANDS[command], exit_code=3)
    assert "You must specify a region. Sign in again, or set AWS_PROFILE, or AWS_DEFAULT_REGION" in sentence


def test_a_missing_profile_is_named(keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile that does not exist exits with 3 and is named."""
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    assert "no-such-profile" in run_failing("lookup", "ann@example.com", exit_code=3)


@pytest.mark.parametrize(
    ("code", "status", "exit_code", "advice"),
    [
        ("ExpiredToken", 400, 3, "Sign in again"),
        ("AccessDenied", 403, 3, "Grant these credentials the permission"),
        ("InvalidAction", 400, 2, "AWS rejects reading the stack mail"),
        ("Throttling", 400, 5, "try again later"),
        ("InternalFailure", 500, 5, "try again later"),
    ],
)
def test_an_aws_error_has_the_exit_code_of_its_kind(  # noqa: PLR0917 - the columns of the table, and fixtures
    code: str, status: int, exit_code: int, advice: str, keys: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only an error that may pass by itself advises to try again."""
    cloudformation = create_client("cloudformation")
    monkeypatch.setattr("pipeline.cli.target.create_client", lambda *_, **__: cloudformation)
    with Stubber(cloudformation) as stubber:
        stubber.add_client_error("describe_stacks", code, http_status_code=status)
        sentence = run_failing("lookup", "ann@example.com", "--stack", "mail", exit_code=exit_code)
    assert advice in sentence
    assert ("try again" in sentence) == (exit_code == 5)


@pytest.mark.parametrize(
    ("variable", "other"), [("MAILFOLD_TABLE", "MAILFOLD_BUCKET"), ("MAILFOLD_BUCKET", "MAILFOLD_TABLE")]
)
def test_a_table_without_a_bucket_or_the_reverse_is_rejected(
    variable: str, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If the environment names only a table or only a bucket, the message names the other variable."""
    monkeypatch.setenv(variable, "a-name")
    assert run_failing("replay").startswith(f"{other} is not set")


@pytest.mark.parametrize(("command", "unused"), [("lookup", "MAILFOLD_BUCKET"), ("query", "MAILFOLD_TABLE")])
def test_a_command_needs_only_what_it_uses(
    command: str, unused: str, cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender's host names the table alone, an analyst's the bucket alone. An invalid name is still refused."""
    for name, value in (find() or {}).items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv(unused)
    run_ok(*COMMANDS[command])
    monkeypatch.setenv(unused, "no spaces")
    assert run_failing("replay").startswith(f"{unused} is not a name")


def test_an_invalid_policy_is_rejected(cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """A MAILFOLD_POLICY that is no policy is a usage error."""
    monkeypatch.setenv("MAILFOLD_POLICY", "{}}")
    assert "not a policy" in run_failing("replay")


def test_mail_needs_a_named_stack_in_aws(keys: None) -> None:
    """Mail is never sent through AWS because the environment names a table."""
    assert run_failing("send", "--to", "ann@example.com").startswith("this works on a local cloud, or on a stack")


@pytest.mark.slow
@pytest.mark.parametrize("command", COMMANDS)
def test_an_unreachable_cloud_exits_with_5(command: str, keys: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """An endpoint that does not answer leads to one sentence, and exit code 5."""
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert "EndpointConnectionError" in run_failing(*COMMANDS[command], exit_code=5)


def test_the_environment_is_unchanged(cloud: CloudProcess) -> None:
    """A command leaves the process's environment as it was."""
    before = dict(os.environ)
    run_ok("lookup", "ann@example.com")
    assert before == dict(os.environ)
