"""An emulator, a deployment and the environment of commands, shared by the tests of a worker process."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.aws.deployment.bundle import Bundle, build_bundle
from tests.acceptance.deployment.account import Account, guarded_account
from tests.acceptance.deployment.deployment import Deployment, deploy
from tests.cli.conftest import clean
from tests.support.wheels import from_folder

STACK = "mailfold"


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    """The Lambda bundle, with compiled parts for this machine."""
    with from_folder():
        return build_bundle(runtime=None)


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    """The account of an emulator that enforces policies."""
    with guarded_account() as account:
        yield account


@pytest.fixture(scope="session")
def deployment(account: Account, bundle: Bundle) -> Deployment:
    """The template with its defaults, deployed once. Tests must leave it unchanged."""
    return deploy(account, name=STACK, bundle=bundle)


@pytest.fixture(scope="session")
def topic(account: Account) -> str:
    """ARN of a topic for SES's notifications."""
    arn: str = account.client("sns").create_topic(Name="ses")["TopicArn"]
    return arn


@pytest.fixture
def operator(account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let commands in this test use the emulator with the operator's credentials."""
    clean(monkeypatch)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # no local cloud is announced there
    for name, value in account.environment().items():
        monkeypatch.setenv(name, value)
