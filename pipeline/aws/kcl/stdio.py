"""Standard input and output of a record processor, reserved for its daemon.

The daemon takes any line of JSON on standard output for an answer, and a stray one acknowledges records that are not
done. So everything else in the process, in Python or in C, writes to standard error instead.
This module imports nothing that could print.
"""

import os
import select
import sys
from typing import TextIO

import msgspec

STDIN, STDOUT, STDERR = 0, 1, 2  # POSIX's file descriptors


class Stdio(msgspec.Struct, frozen=True, kw_only=True):
    """The two pipes between a record processor and its daemon.

    Attributes:
        source: Messages from the daemon.
        sink: Answers to the daemon.
    """

    source: TextIO
    sink: TextIO

    def wait(self, seconds: float) -> bool:
        """Wait, or return early if the daemon closes its pipe. Return True if the pipe is still open."""
        closed = select.poll()
        closed.register(self.source, 0)  # no event but POLLHUP, which poll always reports
        return not closed.poll(seconds * 1_000)


def take_stdio() -> Stdio:
    """Reserve standard input and output for the daemon, for as long as the process runs.

    Both are UTF-8 in any locale: the daemon writes JSON, which RFC 8259 requires to be UTF-8.
    """
    stdio = Stdio(
        source=os.fdopen(os.dup(STDIN), encoding="utf-8", errors="replace", newline="\n"),
        sink=os.fdopen(os.dup(STDOUT), "w", encoding="utf-8", newline="\n"),
    )
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, STDIN)
    os.close(null)
    os.dup2(STDERR, STDOUT)
    sys.stdout = sys.stderr
    return stdio
