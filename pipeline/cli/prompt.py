"""A question to whoever sits at the terminal, on standard error; a program says the answer as an option instead."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from pipeline.errors import UsageError


def can_ask() -> bool:
    """Tell whether anybody can answer."""
    return sys.stdin.isatty()


def ask_yes_no(question: str, *, otherwise: str, default: bool = False) -> bool:
    """Ask, and tell whether the answer is yes.

    Args:
        question: What is asked.
        otherwise: What to say where nobody can answer: by which option a program does.
        default: The answer of whoever presses Enter.

    Raises:
        UsageError: Nobody can answer.
    """
    if not can_ask():
        raise UsageError(otherwise)
    return confirmed(question, default=default)


def confirmed(question: str, *, default: bool = False) -> bool:
    """Ask somebody who can answer, and tell whether the answer is yes."""
    with _interruptible():
        return typer.confirm(question, default=default, err=True)


def typed(request: str) -> str:
    """Return what is typed in answer; nothing where nobody can answer."""
    if not can_ask():
        return ""
    with _interruptible():
        return str(typer.prompt(request, default="", show_default=False, err=True)).strip()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Let Ctrl-C be what it is everywhere; typer makes the same of it as of the end of what is typed, a failure."""
    try:
        yield
    except typer.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
