"""The local cloud that runs is found by other processes of its user, and by nobody else's."""

import os
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import UsageError
from pipeline.local.discovery import announce, find


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    return tmp_path / f"mailfold-{os.getuid()}"


@pytest.fixture
def environment() -> Iterator[dict[str, str]]:
    """The environment of a cloud at whose address something listens."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield {"AWS_ENDPOINT_URL": f"http://127.0.0.1:{listening.getsockname()[1]}", "MAILFOLD_TABLE": "table"}


def test_a_cloud_is_found_as_long_as_it_runs(environment: dict[str, str]) -> None:
    assert find() is None
    with announce(environment):
        assert find() == environment
    assert find() is None


def test_another_process_finds_it_too(environment: dict[str, str]) -> None:
    program = "from pipeline.local.discovery import find; print(find()['MAILFOLD_TABLE'])"
    with announce(environment):
        answer = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)  # noqa: S603 - made above
    assert answer.stdout == "table\n"


def test_only_the_user_can_read_the_file(environment: dict[str, str]) -> None:
    with announce(environment) as file:
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


def test_nothing_is_left_when_it_ends(environment: dict[str, str], folder: Path) -> None:
    with announce(environment):
        pass
    assert list(folder.iterdir()) == []


def test_a_dead_process_is_no_cloud(environment: dict[str, str]) -> None:
    dead = subprocess.Popen([sys.executable, "-c", ""])
    dead.wait(30)
    with announce(environment) as file:
        file.write_text(file.read_text().replace(f'"process_id":{os.getpid()}', f'"process_id":{dead.pid}'))
        assert find() is None
        assert not file.exists()


def test_where_nobody_answers_there_is_no_cloud(environment: dict[str, str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed_soon:
        url = f"http://127.0.0.1:{closed_soon.getsockname()[1]}"
    with announce({**environment, "AWS_ENDPOINT_URL": url}) as file:
        assert find() is None
        assert not file.exists()


@pytest.mark.parametrize(
    "content", ["", "no JSON", "{}", '{"process_id": 1, "environment": {"AWS_ENDPOINT_URL": "x"}}']
)
def test_a_file_that_says_nothing_is_removed(environment: dict[str, str], content: str) -> None:
    with announce(environment) as file:
        file.write_text(content)
        assert find() is None
        assert not file.exists()


def test_the_cloud_that_was_started_last_is_found_and_stays_so(environment: dict[str, str]) -> None:
    with announce({**environment, "MAILFOLD_TABLE": "first"}), announce(environment):
        assert find() == environment
    with announce(environment) as file:
        with announce({**environment, "MAILFOLD_TABLE": "second"}):
            newest = file.read_bytes()
        with announce(environment):
            file.write_bytes(newest)
        assert file.read_bytes() == newest


def test_a_folder_that_others_may_write_to_is_not_trusted(environment: dict[str, str], folder: Path) -> None:
    with announce(environment):
        folder.chmod(0o777)
        assert find() is None
    with pytest.raises(UsageError, match="is not yours alone"), announce(environment):
        pass
