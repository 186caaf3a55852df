"""Temporary folder of the daemons' files. A supervisor that was killed leaves its folder, and the next one removes it.

A supervisor locks its folder for as long as it runs. The kernel releases the lock when the process ends, in whatever
way: man7.org/linux/man-pages/man2/flock.2.html
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

PREFIX = "mailfold-consume-"


@contextmanager
def daemon_folder() -> Iterator[Path]:
    """Yield a new folder that only this user can read and write, and remove it at the end."""
    _remove_abandoned_folders()
    with tempfile.TemporaryDirectory(prefix=PREFIX) as name, _locked(Path(name)):
        yield Path(name)


def _remove_abandoned_folders() -> None:
    """Remove the folders of supervisors that ended. An empty one stays: its supervisor may be about to lock it."""
    for folder in Path(tempfile.gettempdir()).glob(f"{PREFIX}*"):
        with suppress(OSError), _locked(folder):  # another supervisor's, or another user's
            if any(folder.iterdir()):
                shutil.rmtree(folder)


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """Hold the lock of a folder, which is no link.

    Raises:
        OSError: Another process holds it, or the folder cannot be opened.
    """
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(descriptor)
