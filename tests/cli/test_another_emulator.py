"""`mailfold demo` and `mailfold up` on another emulator than moto: ministack, in another process."""

import re
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.acceptance.emulators.ministack import Ministack, running
from tests.cli.test_up import becomes_suppressed
from tests.support.command import WAIT_SECONDS, run_process, started

pytestmark = pytest.mark.slow

CLOSED_PORT = "http://127.0.0.1:1"
COMMANDS = pytest.mark.parametrize("command", ["demo", "up"])


@pytest.fixture(scope="module")
def ministack() -> Iterator[Ministack]:
    with running(guarded=False) as ministack:
        yield ministack


@contextmanager
def up(emulator: Ministack) -> Iterator[None]:
    """Run the local cloud on an emulator."""
    with started("up", "--endpoint-url", emulator.endpoint_url) as process:
        assert process.stdout
        last = f"Ctrl-C stops it. What it holds stays in {emulator.endpoint_url} then.\n"
        assert last in iter(process.stdout.readline, "")
        yield
        process.send_signal(signal.SIGINT)
        assert process.wait(WAIT_SECONDS) == 0


@pytest.mark.parametrize("options", [[], ["--chaos"]], ids=["without faults", "chaos"])
def test_all_numbers_agree_at_each_run(ministack: Ministack, options: list[str]) -> None:
    """Each demo has unique names on the emulator, so that none counts what another left there."""
    for _ in range(2):
        result = run_process("demo", "--emails", "300", "--endpoint-url", ministack.endpoint_url, *options)
        assert result.returncode == 0, result.stderr
        assert result.stderr == ""
        assert "305 e-mails sent" in result.stdout
        assert re.search(r"\n(\d+) of \1 numbers agree, after \d+ s\.\n$", result.stdout)


def test_its_content_survives_the_local_cloud(
    ministack: Ministack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A suppression is there again after the local cloud was stopped and started."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    with up(ministack):
        assert run_process("send", "--to", "bounce+ann@example.com").returncode == 0
        assert becomes_suppressed("bounce+ann@example.com")
    with up(ministack):
        assert run_process("lookup", "bounce+ann@example.com").stdout.startswith("bounce+ann@example.com: suppressed")


@COMMANDS
def test_a_closed_port_is_reported(command: str) -> None:
    """The message names the endpoint and what to do."""
    result = run_process(command, "--endpoint-url", CLOSED_PORT)
    assert result.returncode == 5
    message = f"mailfold: nothing answers at {CLOSED_PORT}: start the emulator there, or name another endpoint URL\n"
    assert result.stderr.endswith(message)


@COMMANDS
def test_an_invalid_endpoint_is_a_usage_error(command: str) -> None:
    """The message shows a valid endpoint."""
    result = run_process(command, "--endpoint-url", "127.0.0.1:4566")
    assert result.returncode == 2
    message = "mailfold: not an endpoint URL: '127.0.0.1:4566'; write it as http://127.0.0.1:4566\n"
    assert result.stderr.endswith(message)
