"""Commands as processes: closed pipes, interrupts, large input and terminals."""

import json
import os
import pty
import re
import shlex
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_ingest import a_bounce
from tests.support.cloud_process import CloudProcess
from tests.support.command import COMMAND, WAIT_SECONDS, json_lines, measuring, run_process, started

MEBIBYTE = 2**20
ATTACK = "\x1b]0;owned\x07\x1b[2J\x1b[31m\x9b5m owned"


def lines_of(*, size_bytes: int) -> bytes:
    """Return NDJSON of about that size."""
    headers = [{"name": f"X-Header-{number}", "value": "x" * 40} for number in range(20)]  # as many as mail has
    bounce = a_bounce("ann@example.com")
    line = json.dumps({**bounce, "mail": {**bounce["mail"], "headers": headers}}).encode() + b"\n"
    return line * (size_bytes // len(line))


@pytest.mark.slow
def test_a_stream_of_200_mb_is_decoded_in_little_memory(tmp_path: Path) -> None:
    """Decoding 200 MB of NDJSON needs less than 150 MB of memory."""
    batch, batch_count, peak = lines_of(size_bytes=2 * MEBIBYTE), 100, tmp_path / "peak"
    with (tmp_path / "out").open("wb") as out:
        process = subprocess.Popen(measuring(peak, "decode"), stdin=subprocess.PIPE, stdout=out)  # noqa: S603 - our own
        assert process.stdin
        for _ in range(batch_count):
            process.stdin.write(batch)
        process.stdin.close()
    assert process.wait(WAIT_SECONDS) == 0
    assert int(peak.read_text()) < 150 * MEBIBYTE
    with (tmp_path / "out").open("rb") as out:
        assert sum(1 for _ in out) == batch.count(b"\n") * batch_count


@pytest.mark.parametrize("command", ["decode", "lookup --json -", "query --format csv 'SELECT * FROM events'"])
def test_a_closed_pipe_ends_a_command_quietly(cloud: CloudProcess, tmp_path: Path, command: str) -> None:
    """When the reader closes the pipe, the command ends without a traceback."""
    input_file = tmp_path / "given"
    input_file.write_bytes(lines_of(size_bytes=MEBIBYTE))
    pipeline = f"{shlex.quote(COMMAND)} {command} < {shlex.quote(str(input_file))} | head -c 10"
    result = subprocess.run(  # noqa: S603 - our own command
        ["/bin/sh", "-c", pipeline], capture_output=True, text=True, timeout=WAIT_SECONDS, check=True
    )
    assert "Traceback" not in result.stderr
    assert "BrokenPipe" not in result.stderr


@pytest.fixture(params=["", "1"], ids=["buffered", "unbuffered"])
def environment(request: pytest.FixtureRequest) -> dict[str, str]:
    """Return an environment in which Python keeps what is printed until the end, or prints it at once."""
    return {**os.environ, "PYTHONUNBUFFERED": request.param}


def test_a_full_disk_is_reported_in_one_sentence(tmp_path: Path, environment: dict[str, str]) -> None:
    """A failed write leads to one sentence with the operating system's reason, and exit code 1."""
    input_file = tmp_path / "given"
    input_file.write_bytes(lines_of(size_bytes=MEBIBYTE))
    with Path("/dev/full").open("w") as full:
        result = subprocess.run(  # noqa: S603 - our own command
            [COMMAND, "decode", str(input_file)],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment,
            text=True,
            timeout=WAIT_SECONDS,
            check=False,
        )
    assert (result.returncode, result.stderr) == (
        1,
        "mailfold: the operating system reports: No space left on device\n",
    )


@pytest.mark.parametrize("arguments", ["--help", "lookup --help", "cost --emails-per-day 1"])
def test_help_and_results_need_a_usable_standard_output(arguments: str, environment: dict[str, str]) -> None:
    """A full or closed standard output leads to one sentence, for help as for results."""
    full, closed = (
        subprocess.run(  # noqa: S603 - our own command
            ["/bin/sh", "-c", f"{COMMAND} {arguments} {redirection}"],
            capture_output=True,
            env=environment,
            text=True,
            timeout=WAIT_SECONDS,
            check=False,
        )
        for redirection in (">/dev/full", ">&-")
    )
    assert (full.returncode, full.stderr) == (1, "mailfold: the operating system reports: No space left on device\n")
    assert closed.returncode == 2
    assert closed.stderr == "mailfold: standard output is closed: redirect it to a file, or to /dev/null\n"


@pytest.mark.parametrize("arguments", [["--format", "table"], ["--format", "csv"], ["--json"]], ids=" ".join)
def test_a_character_that_the_locale_lacks_is_escaped(cloud: CloudProcess, arguments: list[str]) -> None:
    """A terminal of another encoding gets an escape in place of a traceback, and a program gets JSON in UTF-8."""
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    result = subprocess.run(  # noqa: S603 - our own command
        [COMMAND, "query", "SELECT 'caf\xe9' AS a", *arguments],
        capture_output=True,
        env=environment,
        timeout=WAIT_SECONDS,
        check=False,
    )
    assert (result.returncode, result.stderr) == (0, b"1 row, 0 bytes read\n")
    assert (b"caf\xc3\xa9" if "--json" in arguments else b"caf\\xe9") in result.stdout


def test_an_interrupt_exits_with_130_and_no_traceback() -> None:
    """Ctrl-C during a command exits with 130 and prints nothing."""
    with started("decode", stdin=subprocess.PIPE) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(lines_of(size_bytes=MEBIBYTE // 8).decode())
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["kind"] == "bounce"
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=WAIT_SECONDS)
        assert (process.returncode, errors) == (130, "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["typer", "idna"], ids=["commands", "command"])
def test_an_interrupt_while_loading_exits_with_130(tmp_path: Path, number: signal.Signals, module: str) -> None:
    """A signal while the table of commands, or one command, is imported exits with 130 and prints nothing."""
    (tmp_path / f"{module}.py").write_text("import time\nprint('loading', flush=True)\ntime.sleep(600)\n")
    with started("decode", env={**os.environ, "PYTHONPATH": str(tmp_path)}) as process:
        assert process.stdout
        assert process.stdout.readline() == "loading\n"
        process.send_signal(number)
        _, errors = process.communicate(timeout=WAIT_SECONDS)
        assert (process.returncode, errors) == (130, "")


def test_a_signal_that_is_ignored_at_the_start_stays_ignored() -> None:
    """A process that was started under nohup ignores SIGHUP."""
    previous = signal.signal(signal.SIGHUP, signal.SIG_IGN)  # what nohup does: a process inherits it
    try:
        with started("decode", stdin=subprocess.PIPE) as process:
            assert process.stdin
            assert process.stdout
            process.stdin.write(lines_of(size_bytes=MEBIBYTE // 8).decode())
            process.stdin.flush()
            assert process.stdout.readline()
            process.send_signal(signal.SIGHUP)
            _, errors = process.communicate(timeout=WAIT_SECONDS)
            assert (process.returncode, errors) == (0, "")
    finally:
        signal.signal(signal.SIGHUP, previous)


@pytest.mark.slow
def test_an_interrupted_ingest_is_completed_by_repeating_it(cloud: CloudProcess, tmp_path: Path) -> None:
    """A second run after an interrupt ingests the rest, and the log has each event once."""
    file, lines = tmp_path / "events.ndjson", 60_000
    with file.open("w") as out:
        for number in range(lines):
            bounce = a_bounce(f"interrupted.{number % 50}@example.com", number=number)
            out.write(json.dumps({**bounce, "mail": {**bounce["mail"], "messageId": f"interrupted-{number}"}}) + "\n")
    with started("ingest", str(file)) as process:
        while not _count_in_log():  # until the first batch is in the log; more follow
            assert process.poll() is None
        process.send_signal(signal.SIGINT)
        output, errors = process.communicate(timeout=WAIT_SECONDS)
        assert (process.returncode, output) == (130, "")
    stored = re.fullmatch(r"stopped after ([\d,]+) events: repeat the command to go on; .*\n", errors)
    assert stored
    count_in_log = _count_in_log()
    assert 0 < count_in_log < lines
    assert int(stored[1].replace(",", "")) <= count_in_log  # the last ones may not be in the table yet
    again = run_process("ingest", "--json", str(file))
    assert lines - count_in_log <= json.loads(again.stdout)["events"]["bounce"] <= lines
    assert _count_in_log() == lines
    answers = json_lines("lookup", "--json", *(f"interrupted.{number}@example.com" for number in range(50)))
    assert all(answer["suppressed"] for answer in answers)


def _count_in_log() -> int:
    sql = "SELECT count(DISTINCT event_id) AS n FROM events WHERE message_id LIKE 'interrupted-%'"
    [row] = json_lines("query", sql, "--json")
    return int(row["n"])


@pytest.mark.slow
def test_a_terminal_gets_no_escape_sequence_of_others(cloud: CloudProcess, tmp_path: Path) -> None:
    """Escape sequences in payloads, file names and arguments never reach the terminal."""
    bounce: Any = a_bounce("terminal@example.com")
    bounce["bounce"]["bouncedRecipients"][0].update(status=ATTACK, diagnosticCode=ATTACK, action=ATTACK)
    bounce["mail"]["commonHeaders"] = {"subject": ATTACK}
    (tmp_path / f"name {ATTACK}").write_text(json.dumps(bounce) + "\n?")
    sql = "SELECT subject, diagnoses FROM events WHERE message_id = 'm-terminal@example.com'"
    commands = [
        ["ingest", str(tmp_path)],
        ["ingest", "--json", str(tmp_path)],
        ["ingest", str(tmp_path / f"missing {ATTACK}")],
        ["decode", str(tmp_path / f"name {ATTACK}"), f"missing {ATTACK}"],
        ["lookup", "terminal@example.com", ATTACK],
        ["lookup", "--json", "terminal@example.com", ATTACK],
        *(["query", "--format", form, sql] for form in ("table", "csv", "json")),
        ["query", 'SELECT "ATTACK" FROM events'.replace("ATTACK", ATTACK)],
        ["replay", "--since", ATTACK],
        ["replay", "--into", ATTACK],
        ["send", "--to", "ann@example.com", "--tag", ATTACK],
    ]
    for command in commands:
        shown = on_a_terminal(*command, columns=80)
        assert "owned" in shown, command
        assert not re.findall(r"\x1b\]|\x1b\[2J|\x1b\[31m|[\x07\x7f-\x9f]", shown), command


@pytest.mark.slow
@pytest.mark.parametrize("columns", [80, 120])
def test_a_terminal_gets_folded_lines_and_its_cursor_back(cloud: CloudProcess, tmp_path: Path, columns: int) -> None:
    """Lines are folded to the terminal's width, and the progress display shows the cursor again."""
    (tmp_path / "events").write_text(json.dumps(a_bounce("folded@example.com")))
    assert "\x1b[?25h" in on_a_terminal("ingest", str(tmp_path), columns=columns)  # the cursor is there again
    lines = on_a_terminal("lookup", "folded@example.com", columns=columns).splitlines()
    assert max(map(len, lines)) <= columns
    assert lines[0].startswith("folded@example.com: suppressed (hard) since ")


def on_a_terminal(*arguments: str, columns: int) -> str:
    """Run a command on a terminal of that width, and return its output."""
    controller, terminal = pty.openpty()
    environment = {**os.environ, "TERM": "xterm-256color", "COLUMNS": str(columns)}
    process = subprocess.Popen(  # noqa: S603 - our own command
        [COMMAND, *arguments], stdin=terminal, stdout=terminal, stderr=terminal, env=environment
    )
    os.close(terminal)
    written = b"".join(iter(lambda: _read(controller), b""))
    process.wait(WAIT_SECONDS)
    os.close(controller)
    return written.decode()


def _read(terminal: int) -> bytes:
    try:
        return os.read(terminal, 65_536)
    except OSError:  # Linux's answer once no process has the terminal open
        return b""
