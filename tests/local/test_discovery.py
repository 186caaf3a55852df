"""Processes of the same user find the running local cloud, and processes of other users do not."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.local.discovery import announce, find, only_one


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / f"mailfold-{os.getuid()}"


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """The environment of a cloud whose port is open."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{listening.getsockname()[1]}", "MAILFOLD_TABLE": "table"}


def test_a_cloud_is_found_while_it_runs(environment: dict[str, str]) -> None:
    """The announced environment is found until the announcement ends."""
    assert find() is None
    with announce(environment):
        assert find() == environment
    assert find() is None


def test_another_process_finds_the_cloud(environment: dict[str, str]) -> None:
    """A process of the same user reads the announced environment."""
    program = "from pipeline.local.discovery import find; print(find()['MAILFOLD_TABLE'])"
    with announce(environment):
        answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)  # noqa: S603 - made above
    assert answer.stdout == "table\n"


def test_only_the_user_can_read_the_file(environment: dict[str, str]) -> None:
    """File and folder grant no permission to other users."""
    with announce(environment) as file:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_the_file_is_removed_at_the_end(environment: dict[str, str], folder: Path) -> None:
    """The folder is empty when the announcement has ended."""
    with announce(environment):
        pass
    assert list(folder.iterdir()) == []


def test_the_file_of_a_dead_process_is_removed(environment: dict[str, str]) -> None:
    """An announcement of a process that has ended is ignored and removed."""
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(120)
    with announce(environment) as file:
        file.write_text(file.read_text().replace(f'"process_id":{os.getpid()}', f'"process_id":{dead.pid}'))
        assert find() is None
        assert not file.exists()


def test_the_file_of_a_closed_port_is_removed(environment: dict[str, str]) -> None:
    """An announcement of an endpoint at which nothing listens is ignored and removed."""
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        url = f"http://127.0.0.1:{closed_soon.getsockname()[1]}"
    with announce({**environment, "AWS_ENDPOINT_URL": url}) as file:
        assert find() is None
        assert not file.exists()


@pytest.mark.parametrize(
    "content", ["", "no JSON", "{}", '{"process_id": 1, "environment": {"AWS_ENDPOINT_URL": "x"}}']
)
def test_an_invalid_file_is_removed(environment: dict[str, str], content: str) -> None:
    """A file without a valid announcement is ignored and removed."""
    with announce(environment) as file:
        file.write_text(content)
        assert find() is None
        assert not file.exists()


def test_the_latest_cloud_is_found(environment: dict[str, str]) -> None:
    """A newer announcement replaces an older one, whose end does not remove it."""
    with announce({**environment, "MAILFOLD_TABLE": "first"}), announce(environment):
        assert find() == environment
    with announce(environment) as file:
        with announce({**environment, "MAILFOLD_TABLE": "second"}):
            newest = file.read_bytes()
        with announce(environment):
            file.write_bytes(newest)
        assert file.read_bytes() == newest


def test_a_folder_writable_by_others_is_not_trusted(environment: dict[str, str], folder: Path) -> None:
    """A folder with wider permissions is not read, and announcing in it is a usage error."""
    with announce(environment):
        folder.chmod(0o777)
        assert find() is None
    with pytest.raises(UsageError, match="another user can write to"), announce(environment):
        pass


def test_a_runtime_folder_that_does_not_exist_is_not_created(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The folder for temporary files takes its place: a session's end would not remove a folder of Mailfold's."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "missing"))
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with announce({}) as file:
        assert file.parent.parent == tmp_path
    assert not (tmp_path / "missing").exists()


def test_only_one_cloud_starts_at_a_time(folder: Path) -> None:
    """The second is refused although the first is not announced yet."""
    with (
        only_one(),
        pytest.raises(UsageError, match="another `mailfold up` starts or stops at this moment"),
        only_one(),
    ):
        pass


def test_a_running_cloud_is_named(environment: dict[str, str]) -> None:
    """With its address."""
    with announce(environment), pytest.raises(UsageError, match="a local cloud runs already, at http://"), only_one():
        pass
