"""Questions at a terminal, on standard error. A program answers them by options instead."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import typer

from pipeline.errors import UsageError


def ask_yes_no(question: str, *, no_terminal: str, default: bool = False) -> bool:
    """Ask a question and return True if the answer is yes.

    Args:
        question: The question.
        no_terminal: The error message if standard input is not a terminal: which option answers the question.
        default: The answer if the user presses Enter.

    Raises:
        UsageError: Standard input is not a terminal.
    """
    if not can_ask():
        raise UsageError(no_terminal)
    return confirm(question, default=default)


def confirm(question: str, *, default: bool = False) -> bool:
    """Ask a question at a terminal and return True if the answer is yes."""
    with _interruptible():
        return typer.confirm(question, default=default, err=True)


def ask_text(request: str) -> str:
    """Return the text that the user types, or an empty text if standard input is not a terminal."""
    if not can_ask():
        return ""
    with _interruptible():
        return str(typer.prompt(request, default="", show_default=False, err=True)).strip()


def can_ask() -> bool:
    """Return True if standard input is a terminal."""
    return sys.stdin is not None and sys.stdin.isatty()


@contextmanager
def _interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt on Ctrl-C. typer turns it into the same Abort as the end of input, which is a failure."""
    try:
        yield
    except typer.Abort as abort:
        if isinstance(abort.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from None
        raise
