"""What tests of the command line share: an environment of their own, and a local cloud that runs."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.cloud_process import CloudProcess

OF_THE_USER = ("AWS_", "MAILFOLD_", "FORCE_COLOR", "NO_COLOR", "COLUMNS", "HTTP_PROXY", "http_proxy")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No cloud, and nothing of the user's AWS."""
    for name in os.environ:
        if name.startswith(OF_THE_USER):
            monkeypatch.delenv(name)
    nothing = str(tmp_path / "nothing")
    monkeypatch.setenv("AWS_CONFIG_FILE", nothing)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", nothing)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture(scope="session")
def _cloud_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    with CloudProcess(tmp_path_factory.mktemp("runtime")) as process:
        yield process


@pytest.fixture
def cloud(
    _environment: None, _cloud_process: CloudProcess, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> CloudProcess:
    """A local cloud that runs, and that the commands find. All tests of a session share it, and what it holds."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(_cloud_process.runtime_folder))
    return _cloud_process
