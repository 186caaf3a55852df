"""At a question, Ctrl-C is an interrupt, and the end of input is a failure."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
import typer

from pipeline.cli import prompt
from tests.support.command import WAIT_SECONDS
from tests.support.waiting import until

QUESTIONS = ["ask_text('Name')", "ask_yes_no('Agreed?', no_terminal='')"]


@contextmanager
def asked(expression: str) -> Iterator["subprocess.Popen[str]"]:
    """Ask in a new process at a terminal, and continue once the question is printed."""
    terminal, end = os.openpty()
    command = [sys.executable, "-c", f"from pipeline.cli.prompt import *; {expression}"]
    try:
        with subprocess.Popen(command, stdin=end, stderr=subprocess.PIPE, text=True) as process:  # noqa: S603 - our own command
            try:
                assert process.stderr
                assert process.stderr.read(1) in {"N", "A"}
                yield process
            finally:
                process.kill()
    finally:
        os.close(terminal)
        os.close(end)


def press_ctrl_c(process: "subprocess.Popen[str]") -> int | None:
    """Interrupt a process and return its exit code; None if it runs on for a second."""
    process.send_signal(signal.SIGINT)
    with suppress(subprocess.TimeoutExpired):
        return process.wait(1)
    return None


@pytest.mark.parametrize("expression", QUESTIONS)
def test_ctrl_c_at_a_question_raises_keyboard_interrupt(expression: str) -> None:
    """Ctrl-C at a question is an interrupt, not typer's Abort, which is a failure."""
    with asked(expression) as process:
        # Python cannot notice a signal that comes just before it begins to read. A person presses again.
        until(lambda: press_ctrl_c(process) is not None, timeout_seconds=WAIT_SECONDS)
        _, errors = process.communicate(timeout=WAIT_SECONDS)
    assert "KeyboardInterrupt" in errors
    assert process.returncode == -signal.SIGINT


def test_the_end_of_input_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The end of standard input at a question raises typer's Abort."""
    monkeypatch.setattr(prompt, "can_ask", lambda: True)
    with Path(os.devnull).open() as nothing, monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", nothing)
        with pytest.raises(typer.Abort):
            prompt.ask_text("Name")
