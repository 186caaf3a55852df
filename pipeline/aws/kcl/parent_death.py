"""Run a program that ends when its parent does: `python parent_death.py PARENT PROGRAM ARGUMENT…`.

The kernel sends the program SIGTERM when its parent ends, in whatever way. So no daemon reads a stream unsupervised.
Linux only; elsewhere the program runs unchanged. Runs with `-IS`: it may import the standard library alone.
man7.org/linux/man-pages/man2/PR_SET_PDEATHSIG.2const.html
"""

import os
import sys

_PR_SET_PDEATHSIG = 1
_SIGTERM = 15
_ORPHANED = 1  # exit code


def exit_with_parent() -> None:
    """Replace this process by the program, with a signal set for the parent's death."""
    parent, *command = sys.argv[1:]
    if sys.platform == "linux":
        import ctypes  # noqa: PLC0415 - not needed elsewhere

        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, _SIGTERM, 0, 0, 0)
        if os.getppid() != int(parent):  # it ended before prctl
            sys.exit(_ORPHANED)
    os.execv(command[0], command)  # noqa: S606 - the purpose of this file


if __name__ == "__main__":
    exit_with_parent()
