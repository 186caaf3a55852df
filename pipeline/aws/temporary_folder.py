"""Temporary folders that a process locks while it uses them, so that those of a process that was killed are removed.

The kernel releases the lock when the process ends, in whatever way. man7.org/linux/man-pages/man2/flock.2.html
"""

import fcntl
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Yield a new folder, which is deleted at the end. Delete those of killed processes with the same prefix.

    Only this user can read and write it.
    """
    _remove_abandoned(prefix)
    with TemporaryDirectory(prefix=prefix) as name, locked(Path(name)):
        yield Path(name)


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Lock a folder until the block ends.

    Raises:
        BlockingIOError: Another process, or another thread, has locked it.
        OSError: It does not exist, or is a link.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(handle)


def _remove_abandoned(prefix: str) -> None:
    """Remove the folders of processes that ended. An empty one stays: its process may be about to lock it."""
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError), locked(folder):  # an error: it is in use, or gone
            if folder.stat().st_uid == os.getuid() and any(folder.iterdir()):
                rmtree(folder, ignore_errors=True)
