"""The local cloud's clients neither need nor use the user's AWS configuration."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from pipeline.local.client import ACCESS_KEY_ID, local_client
from tests.support.command import run_process

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

NOWHERE = "http://127.0.0.1:9"


@pytest.fixture
def _broken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A missing profile, and files that cannot be parsed."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("AWS_PROFILE", "missing")
    (tmp_path / ".aws").mkdir()
    for name in ("config", "credentials"):
        (tmp_path / ".aws" / name).write_text("[[no profile\n= nothing")


@pytest.mark.usefixtures("_broken")
def test_a_missing_profile_and_broken_files_do_no_harm() -> None:
    """A client is created although the user's profile is missing and AWS's files cannot be parsed."""
    client: DynamoDBClient = local_client("dynamodb", endpoint_url=NOWHERE, region="eu-north-1")  # used nowhere else
    assert (client.meta.endpoint_url, client.meta.region_name) == (NOWHERE, "eu-north-1")
    assert client.meta.config.proxies == {}  # type: ignore[attr-defined]  # the stubs lack it
    client.close()


def test_the_users_keys_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client signs with the made-up key although the environment has another."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "of-the-user")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-the-user")
    client = local_client("s3", endpoint_url=NOWHERE, region="eu-south-1")
    assert client._request_signer._credentials.access_key == ACCESS_KEY_ID
    client.close()


@pytest.mark.slow
@pytest.mark.usefixtures("_broken")
def test_the_demo_runs_despite_a_broken_aws_configuration() -> None:
    """In a process with the same environment, the demo succeeds."""
    ran = run_process("demo", "--emails", "20")
    assert (ran.returncode, ran.stderr) == (0, "")
