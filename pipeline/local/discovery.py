"""Discovery of a running local cloud by other processes, through a file that only its user can read.

The file is in XDG_RUNTIME_DIR, which is removed when the user's session ends, or else, also if that does not exist, in
the folder for temporary files. A folder that another user could write to is never trusted.
specifications.freedesktop.org/basedir-spec/latest/
"""

import os
import socket
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from pipeline.aws.temporary_folder import locked
from pipeline.errors import UsageError

ENDPOINT = "AWS_ENDPOINT_URL"
ANSWER_SECONDS = 1.0  # the cloud is on this machine


class Announcement(msgspec.Struct, frozen=True, kw_only=True):
    """Content of the file.

    Attributes:
        process_id: Process that runs the cloud.
        environment: Variables to export to use it.
    """

    process_id: int
    environment: dict[str, str]


@contextmanager
def only_one() -> Iterator[None]:
    """Keep other processes of the user from running a cloud that is announced, until the block ends.

    Raises:
        UsageError: One runs or starts already, or another user can write to the folder.
    """
    if environment := find():
        raise UsageError(f"a local cloud runs already, at {environment[ENDPOINT]}: use it, or stop it first")
    folder = _file().parent
    _create_folder(folder)
    with ExitStack() as stack:
        try:
            stack.enter_context(locked(folder))
        except BlockingIOError as error:
            raise UsageError("another `mailfold up` starts or stops at this moment: wait for it") from error
        yield


@contextmanager
def announce(environment: Mapping[str, str]) -> Iterator[Path]:
    """Announce this process's cloud until the block ends. Yield the file's path.

    Raises:
        UsageError: Another user can write to the folder.
    """
    file = _file()
    _create_folder(file.parent)
    announcement = Announcement(process_id=os.getpid(), environment=dict(environment))
    _write(file, msgspec.json.encode(announcement))
    try:
        yield file
    finally:
        if _read(file) == announcement:  # a cloud that started later may have replaced it
            file.unlink(missing_ok=True)


def find() -> dict[str, str] | None:
    """Return the variables to export to use the running cloud; None if none runs. Remove the file of one that ended."""
    file = _file()
    if not _is_private(file.parent):
        return None
    announcement = _read(file)
    if announcement and _is_running(announcement):
        return announcement.environment
    with suppress(OSError):
        file.unlink(missing_ok=True)
    return None


def _file() -> Path:
    runtime_folder = Path(os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir())
    folder = runtime_folder if runtime_folder.is_dir() else Path(tempfile.gettempdir())
    return folder / f"mailfold-{os.getuid()}" / "local.json"


def _create_folder(folder: Path) -> None:
    folder.mkdir(mode=0o700, exist_ok=True)
    if not _is_private(folder):
        raise UsageError(f"another user can write to {folder}: remove it, or set XDG_RUNTIME_DIR")


def _is_private(folder: Path) -> bool:
    """Return True if only this user can write to the folder. Its parent may be open to all users."""
    try:
        status = folder.lstat()
    except OSError:
        return False
    return status.st_uid == os.getuid() and not status.st_mode & 0o077


def _write(file: Path, content: bytes) -> None:
    """Replace a file in one step, so that a reader gets the old content or the new one."""
    handle, name = tempfile.mkstemp(dir=file.parent)  # readable by its user only
    with os.fdopen(handle, "wb") as new_file:
        new_file.write(content)
    Path(name).replace(file)


def _read(file: Path) -> Announcement | None:
    try:
        return msgspec.json.decode(file.read_bytes(), type=Announcement)
    except (OSError, msgspec.DecodeError):
        return None


def _is_running(announcement: Announcement) -> bool:
    """Return True if the process exists and something listens at the cloud's address."""
    address = urlsplit(announcement.environment.get(ENDPOINT, ""))
    try:
        os.kill(announcement.process_id, 0)
        socket.create_connection((address.hostname, address.port), ANSWER_SECONDS).close()
    except (OSError, ValueError):
        return False
    return True
