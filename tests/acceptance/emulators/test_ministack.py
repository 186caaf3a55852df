"""The AWS emulator: it listens on this machine only, enforces permissions, and leaves nothing behind."""

import os
import socket
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.acceptance.emulators.ministack import Ministack, running
from tests.acceptance.emulators.server import Server, open_to_the_network


@pytest.fixture
def ministack(monkeypatch: pytest.MonkeyPatch) -> Iterator[Ministack]:
    """An emulator that enforces policies, in the environment of boto3."""
    with running(guarded=True) as ministack:
        for name, value in ministack.environment().items():
            monkeypatch.setenv(name, value)
        yield ministack


def test_a_user_without_a_policy_is_denied(ministack: Ministack) -> None:
    """The emulator enforces policies."""
    session = boto3.Session()  # the default session may keep the environment of an earlier test
    iam = session.client("iam")
    iam.create_user(UserName="ann")
    key = iam.create_access_key(UserName="ann")["AccessKey"]
    s3 = session.client("s3", aws_access_key_id=key["AccessKeyId"], aws_secret_access_key=key["SecretAccessKey"])
    with pytest.raises(ClientError, match="AccessDenied"):
        s3.create_bucket(Bucket="hers", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
def test_the_emulator_listens_on_this_machine_only(ministack: Ministack) -> None:
    """The process has no socket that other machines can reach."""
    assert open_to_the_network(ministack.process_id) == []


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
def test_a_socket_open_to_other_machines_is_detected() -> None:
    """The check itself detects a socket on all interfaces."""
    with socket.socket() as listening:
        listening.bind(("0.0.0.0", 0))  # noqa: S104 - what must be seen
        listening.listen()
        assert len(open_to_the_network(os.getpid())) == 1


def test_the_emulator_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its files are deleted, and its port is closed."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with running(guarded=False) as ministack:
        address = urlsplit(ministack.endpoint_url)
        assert list(tmp_path.iterdir())
    assert list(tmp_path.iterdir()) == []
    with socket.socket() as probe:
        assert probe.connect_ex((address.hostname or "", address.port or 0)) != 0


def test_a_server_that_does_not_start_shows_its_log(tmp_path: Path) -> None:
    """The error contains the server's output."""
    broken = Server([sys.executable, "-c", "exit('cannot start')"], environment={}, folder=tmp_path, answers=bool)
    with pytest.raises(AssertionError, match="cannot start"), broken:
        pass
