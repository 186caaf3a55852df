"""How other processes find the local cloud that runs: a file that only its user can read.

It lies in XDG_RUNTIME_DIR, which ends with the user's session, or else in the folder for temporary files.
specifications.freedesktop.org/basedir-spec/latest/
"""

import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from pipeline.errors import UsageError

ENDPOINT = "AWS_ENDPOINT_URL"
ANSWER_SECONDS = 1.0  # it is on this machine


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """What the file says.

    Attributes:
        process_id: Whose cloud it is.
        environment: What to export to use it.
    """

    process_id: int
    environment: dict[str, str]


@contextmanager
def announce(environment: Mapping[str, str]) -> Iterator[Path]:
    """Tell other processes of this process's cloud, and take it back at the end; give the file's path.

    Raises:
        UsageError: The folder for it is not this user's alone.
    """
    file = _file()
    _make_folder(file.parent)
    announcement = Announcement(process_id=os.getpid(), environment=dict(environment))
    _write(file, msgspec.json.encode(announcement))
    try:
        yield file
    finally:
        if _read(file) == announcement:  # and not that of a cloud that was started since
            file.unlink(missing_ok=True)


def find() -> dict[str, str] | None:
    """Return what to export to use the cloud that runs; None if none does. What a dead one left behind is removed."""
    file = _file()
    if not _is_ours(file.parent):
        return None
    announcement = _read(file)
    if announcement and _lives(announcement):
        return announcement.environment
    with suppress(OSError):
        file.unlink(missing_ok=True)
    return None


def _file() -> Path:
    folder = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    return Path(folder) / f"mailfold-{os.getuid()}" / "local.json"


def _make_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _is_ours(folder):
        raise UsageError(f"{folder} is not yours alone: remove it, or set XDG_RUNTIME_DIR")


def _is_ours(folder: Path) -> bool:
    """Tell whether nobody else could have put anything into a folder, which may be in a place that all may write to."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return status.st_uid == os.getuid() and not status.st_mode & 0o077


def _write(file: Path, content: bytes) -> None:
    """Write a file in one step: whoever reads it finds the old one or the new one."""
    handle, name = tempfile.mkstemp(dir=file.parent)  # nobody else can read it
    with os.fdopen(handle, "wb") as new:
        new.write(content)
    Path(name).replace(file)


def _read(file: Path) -> Announcement | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Announcement)
    except (OSError, msgspec.DecodeError):
        return None


def _lives(announcement: Announcement) -> bool:
    """Tell whether the process is there, and something answers at the address."""
    address = urlsplit(announcement.environment.get(ENDPOINT, ""))
    try:
        os.kill(announcement.process_id, 0)
        socket.create_connection((address.hostname, address.port), ANSWER_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True
