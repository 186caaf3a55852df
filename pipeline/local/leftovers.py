"""Folders that a process locks while it uses them, so that those of a process that was killed can be removed.

The kernel releases the lock with the process. man7.org/linux/man-pages/man2/flock.2.html
"""

import fcntl
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from shutil import rmtree
from tempfile import TemporaryDirectory

CREATED_SECONDS = 60.0
"""A folder that was changed within this time may be one that its process has not locked yet."""


@contextmanager
def temporary_folder(prefix: str) -> Iterator[Path]:
    """Yield a new folder, which is deleted at the end. Delete those of killed processes with the same prefix."""
    _remove_leftovers(prefix)
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


def _remove_leftovers(prefix: str) -> None:
    changed_before_s = time.time() - CREATED_SECONDS
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        with suppress(OSError), locked(folder):  # an error: it is in use, or gone
            status = folder.stat()
            if status.st_uid == os.getuid() and status.st_mtime < changed_before_s:
                rmtree(folder, ignore_errors=True)
