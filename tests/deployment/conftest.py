"""A deployment that the tests of this folder share, and how commands find it."""

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest

from tests.cli.command import ROOT
from tests.cli.conftest import clean
from tests.deployment.account import Account
from tests.deployment.deployment import Deployment, deploy
from tests.emulator.ministack import COMMAND, running

STACK = "mailfold"


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    parts = ["msgspec", "idna", "aws-lambda-powertools", "pybase64"]
    python = str(COMMAND.with_name("python"))
    subprocess.run(  # noqa: S603 - our own command
        [str(ROOT / ".venv/bin/uv"), "pip", "install", "-q", "--python", python, "--target", f"{folder}/code", *parts],
        check=True,
    )
    shutil.copytree(ROOT / "pipeline", folder / "code" / "pipeline", ignore=shutil.ignore_patterns("__pycache__"))
    return Path(shutil.make_archive(str(folder / "bundle"), "zip", folder / "code"))


@pytest.fixture(scope="session")
def account() -> Iterator[Account]:
    """An account in an emulator that enforces what policies say."""
    with running(guarded=True) as ministack:
        account = Account(ministack)
        yield account
        account.close()


@pytest.fixture(scope="session")
def deployment(account: Account, bundle: Path) -> Deployment:
    """The template as it is, deployed once for all tests, which leave it as they found it."""
    return deploy(account, name=STACK, bundle=bundle)


@pytest.fixture
def operator(account: Account, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Commands that run in this test find the emulator, and act as the operator of its account."""
    clean(monkeypatch)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))  # where no local cloud is announced
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)  # it would keep the credentials of whoever came before
    for name, value in account.environment().items():
        monkeypatch.setenv(name, value)
