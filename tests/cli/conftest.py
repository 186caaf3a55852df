"""What tests of the command line share: an environment of their own, and a local cloud that runs."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cloud_process import CloudProcess

OF_THE_USER = ("AWS_", "MAILFOLD_", "FORCE_COLOR", "NO_COLOR", "COLUMNS", "HTTP_PROXY", "http_proxy")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cloud, and nothing of the user's AWS."""
    clean(monkeypatch)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture(scope="session")
def cloud_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    """The local cloud that all tests share, with what it holds."""
    with CloudProcess(tmp_path_factory.mktemp("runtime")) as process:
        yield process


@pytest.fixture
def cloud(_environment: None, cloud_process: CloudProcess, monkeypatch: pytest.MonkeyPatch) -> CloudProcess:
    """The same, found by the commands of this test."""
    cloud_process.show(monkeypatch)
    return cloud_process


def clean(environment: pytest.MonkeyPatch) -> None:
    """Take from the environment what a developer may have set for other work."""
    for name in os.environ:
        if name.startswith(OF_THE_USER):
            environment.delenv(name)
    environment.setenv("AWS_CONFIG_FILE", os.devnull)
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
