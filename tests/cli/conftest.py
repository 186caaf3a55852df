"""Fixtures of the command line's tests: a clean environment, and a running local cloud."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.cloud_process import CloudProcess

USER_VARIABLES = ("AWS_", "MAILFOLD_", "FORCE_COLOR", "NO_COLOR", "COLUMNS", "HTTP_PROXY", "http_proxy")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Name no cloud, and hide the user's AWS configuration."""
    clean(monkeypatch)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture(scope="session")
def cloud_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    """The local cloud that all tests of a session share."""
    with CloudProcess(tmp_path_factory.mktemp("runtime")) as process:
        yield process


@pytest.fixture
def cloud(_environment: None, cloud_process: CloudProcess, monkeypatch: pytest.MonkeyPatch) -> CloudProcess:
    """The shared local cloud, which this test's commands discover."""
    cloud_process.show(monkeypatch)
    return cloud_process


def clean(environment: pytest.MonkeyPatch) -> None:
    """Remove what a developer may have set in the environment for other work."""
    for name in os.environ:
        if name.startswith(USER_VARIABLES):
            environment.delenv(name)
    environment.setenv("AWS_CONFIG_FILE", os.devnull)
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
