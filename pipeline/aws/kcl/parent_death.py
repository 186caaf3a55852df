"""A program that does not outlive whoever started it: `python tether.py PARENT PROGRAM ARGUMENT…`.

The kernel sends it SIGTERM as soon as its parent is gone, however that ended; so no daemon goes on reading a stream
that nobody watches. Linux only; elsewhere the program is run as it is. Only the standard library, and little of that.
man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
"""

import os
import sys

_PR_SET_PDEATHSIG = 1
_SIGTERM = 15
_ORPHANED = 1


def exit_with_parent() -> None:
    """Become the program."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - not where it is not needed

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGTERM, 0, 0, 0)
        if os.getppid() != int(parent):  # it ended before the kernel was asked
            sys.exit(_ORPHANED)
    os.execv(command[0], command)  # noqa: S606 - what this file is for


if __name__ == "__main__":
    exit_with_parent()
