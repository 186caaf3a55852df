"""A question to whoever sits at the terminal, on standard error; a program says the answer as an option instead."""

import sys

import typer

from pipeline.errors import Misuse


def can_ask() -> bool:
    """Tell whether anybody can answer."""
    return sys.stdin.isatty()


def agreed(question: str, *, otherwise: str, default: bool = False) -> bool:
    """Ask, and tell whether the answer is yes.

    Args:
        question: What is asked.
        otherwise: What to say where nobody can answer: by which option a program does.
        default: The answer of whoever presses Enter.

    Raises:
        Misuse: Nobody can answer.
    """
    if not can_ask():
        raise Misuse(otherwise)
    return typer.confirm(question, default=default, err=True)


def typed(request: str) -> str:
    """Return what is typed in answer; nothing where nobody can answer."""
    if not can_ask():
        return ""
    return str(typer.prompt(request, default="", show_default=False, err=True)).strip()
