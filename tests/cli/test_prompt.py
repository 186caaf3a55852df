"""A question: whoever presses Ctrl-C has interrupted, and is no failure; whoever has nothing to say, is one."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

from pipeline.cli import prompt

WAIT_SECONDS = 30.0
QUESTIONS = ["typed('Name')", "ask_yes_no('Agreed?', otherwise='')"]


@contextmanager
def asked(expression: str) -> Iterator["subprocess.Popen[str]"]:
    """Ask in a process of its own, at a terminal, and go on when the question stands there."""
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


@pytest.mark.parametrize("expression", QUESTIONS)
def test_ctrl_c_at_a_question_interrupts_as_it_does_everywhere(expression: str) -> None:
    with asked(expression) as process:
        process.send_signal(signal.SIGINT)
        _, told = process.communicate(timeout=WAIT_SECONDS)
    assert "KeyboardInterrupt" in told
    assert process.returncode == -signal.SIGINT


def test_the_end_of_what_is_typed_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prompt, "can_ask", lambda: True)
    with Path(os.devnull).open() as nothing, monkeypatch.context() as patch:
        patch.setattr(sys, "stdin", nothing)
        with pytest.raises(typer.Abort):
            prompt.typed("Name")
