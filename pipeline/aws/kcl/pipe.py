"""The two pipes between a record processor and its daemon: the process's own standard input and output, taken from it.

A line of JSON on standard output is an answer to the daemon, whoever wrote it; one that nobody asked for acknowledges
what is not done. So everything else that writes there, in Python or in C, writes to standard error instead.
"""

import os
import select
import sys
from typing import TextIO

import msgspec

IN, OUT, ERROR = 0, 1, 2  # POSIX's numbers of the standard streams


class Pipes(msgspec.Struct, frozen=True, kw_only=True):
    """What a record processor and its daemon speak through.

    Attributes:
        source: What the daemon says.
        sink: What it is told.
    """

    source: TextIO
    sink: TextIO

    def wait(self, seconds: float) -> bool:
        """Wait, while the daemon is there; return whether it still is."""
        hang_up = select.poll()
        hang_up.register(self.source, 0)  # no event but the end of the pipe, which is always told
        return not hang_up.poll(seconds * 1_000)


def take_pipes() -> Pipes:
    """Take standard input and output away from everything else in this process, once and for good.

    Both are UTF-8, whatever the locale says: the daemon writes JSON, and the standard says so (RFC 8259).
    """
    pipes = Pipes(
        source=os.fdopen(os.dup(IN), encoding="utf-8", errors="replace", newline="\n"),
        sink=os.fdopen(os.dup(OUT), "w", encoding="utf-8", newline="\n"),
    )
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, IN)
    os.close(nothing)
    os.dup2(ERROR, OUT)
    sys.stdout = sys.stderr
    return pipes
