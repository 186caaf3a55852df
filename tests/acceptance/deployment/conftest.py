"""A deployment that the tests of this folder share, and how commands find it."""

from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from pipeline.aws.deployment.bundle import Bundle, build_bundle
from tests.acceptance.deployment.account import Account, guarded_account
from tests.acceptance.deployment.deployment import Deployment, deploy
from tests.cli.conftest import clean
from tests.support.wheels import from_folder

STACK = "mailfold"


@pytest.fixture(scope="session")
def bundle() -> Bundle:
    """The Lambdas' code, as it is built for AWS, with compiled parts for this machine."""
    with from_folder():
        return build_bundle(runtime=None)


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    """An account in an emulator that enforces what policies say."""
    with guarded_account() as account:
        yield account


@pytest.fixture(scope="session")
def deployment(account: Account, bundle: Bundle) -> Deployment:
    """The template as it is, deployed once for all tests, which leave it as they found it."""
    return deploy(account, name=STACK, bundle=bundle)


@pytest.fixture(scope="session")
def topic(account: Account) -> str:
    """The ARN of a topic that SES may send notifications to."""
    arn: str = account.client("sns").create_topic(Name="ses")["TopicArn"]
    return arn


@pytest.fixture
def operator(account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands that run in this test find the emulator, and act as the operator of its account."""
    clean(monkeypatch)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # where no local cloud is announced
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it would keep the credentials of whoever came before
    for name, value in account.environment().items():
        monkeypatch.setenv(name, value)
