"""Words to people: what goes to a terminal, made safe for it."""

from rich import filesize
from rich.console import Console

# What remote servers wrote may hold escape sequences; a terminal must not obey them.
_UNPRINTABLE = "\N{REPLACEMENT CHARACTER}"


def to_people() -> Console:
    """Return the console for words and progress: standard error, so that results can be piped."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def results() -> Console:
    """Return the console for results meant to be read."""
    return Console(highlight=False, soft_wrap=True)


def printable(text: str) -> str:
    """Return text without anything that a terminal would obey."""
    return "".join(
        character if character.isprintable() else " " if character.isspace() else _UNPRINTABLE for character in text
    )


def size(size_bytes: int) -> str:
    """Return a number of bytes as people write it."""
    return filesize.decimal(size_bytes)
