"""The state of a rebuild, as an object beside the log: one at a time, and a crash leaves it for the next process.

Each write is conditional on the version that was read: S3 rejects it if another process has written since.
docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html

The process that holds a rebuild extends its lease while it runs. Another may take the rebuild over once the lease has
ended, or at once if the holder ran on the same host and has died.
"""

from __future__ import annotations

import getpass
import os
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self

import msgspec

from pipeline.aws.errors import missing_ok, tolerate, translated
from pipeline.errors import MailfoldError, UsageError
from pipeline.rebuild import Rebuild
from pipeline.timestamp import format_time

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEY = "rebuild/state.json"
LEASE = timedelta(minutes=2)
EXTENSIONS = 4  # of a lease, while it lasts: three may fail
CHANGED = ("PreconditionFailed", "ConditionalRequestConflict")
_ENDED = datetime(1970, 1, 1, tzinfo=UTC)


def utc_now() -> datetime:
    """Return the current time."""
    return datetime.now(UTC)


def this_holder() -> str:
    """Return who runs this process, where, and its number."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError):  # a container without an entry for the user
        user = str(os.getuid())
    return f"{user} on {socket.gethostname()} (process {os.getpid()})"


class StoredRebuild(msgspec.Struct, frozen=True):
    """A rebuild, and the version of its object."""

    rebuild: Rebuild
    etag: str


class RebuildState:
    """The object with the rebuild that is not over.

    Args:
        client: boto3's S3 client, with its time-outs and retries.
        bucket: The log's bucket.
    """

    def __init__(self, client: S3Client, *, bucket: str) -> None:
        self._client, self._bucket = client, bucket

    def read(self) -> StoredRebuild | None:
        """Return the rebuild that is not over, or None.

        Raises:
            UsageError: The object is not one of this version of Mailfold.
            AccessDenied, NotFound, ServiceUnavailable: The bucket cannot be read.
        """
        with translated("reading the state of the rebuild"):
            response = missing_ok(lambda: self._client.get_object(Bucket=self._bucket, Key=KEY))
            body = response and response["Body"].read()
        if response is None:
            return None
        try:
            return StoredRebuild(msgspec.json.decode(body or b"", type=Rebuild), response["ETag"])
        except msgspec.MsgspecError as error:
            raise UsageError(f"s3://{self._bucket}/{KEY} is not the state of a rebuild: delete it") from error

    def create(self, rebuild: Rebuild) -> str:
        """Store a rebuild that begins, and return the version.

        Raises:
            UsageError: Another one is not over. The message names its holder, and since when.
        """
        etag = self._put(rebuild, IfNoneMatch="*")
        if etag is not None:
            return etag
        stored = self.read()
        other = stored.rebuild.sentence if stored else "another rebuild ended just now, so try again"
        raise UsageError(f"one rebuild at a time: {other}; see `mailfold rebuild --status`")

    def replace(self, rebuild: Rebuild, *, etag: str) -> str:
        """Store a change of a rebuild, and return the new version.

        Raises:
            UsageError: Another process has taken it over, or ended it.
        """
        new = self._put(rebuild, IfMatch=etag)
        if new is None:
            raise UsageError(
                "another process has taken this rebuild over, or ended it: see `mailfold rebuild --status`"
            )
        return new

    def delete(self) -> None:
        """Forget the rebuild, because it is over."""
        with translated("deleting the state of the rebuild"):
            self._client.delete_object(Bucket=self._bucket, Key=KEY)

    def _put(self, rebuild: Rebuild, **condition: str) -> str | None:
        """Write the object, and return its version; None if it is not as the condition says."""
        body = msgspec.json.encode(rebuild)
        request: Mapping[str, Any] = {"Bucket": self._bucket, "Key": KEY, "Body": body, **condition}
        with translated("storing the state of the rebuild"):
            written = tolerate(lambda: self._client.put_object(**request), *CHANGED, "NoSuchKey")
        if written is not None:
            return written["ETag"]
        stored = self.read()  # boto3 repeats a write whose response was lost
        return stored.etag if stored and stored.rebuild == rebuild else None


class RebuildLease:
    """A rebuild that this process holds. A context manager: within it, the lease is extended by a thread.

    Args:
        state: Where it is kept.
        rebuild: The rebuild.
        etag: The version of its object.
        lease: How long another process waits before it may take the rebuild over, if this one dies.
        now: Returns the current time.
    """

    def __init__(
        self,
        state: RebuildState,
        rebuild: Rebuild,
        etag: str,
        *,
        lease: timedelta = LEASE,
        now: Callable[[], datetime] = utc_now,
    ) -> None:
        self.rebuild = rebuild
        self._state, self._etag, self._lease, self._now = state, etag, lease, now
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._lost: MailfoldError | None = None
        self._is_over = False

    def __enter__(self) -> Self:
        """Begin to extend the lease."""
        self._thread = threading.Thread(target=self._extend, name="rebuild lease", daemon=True)
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Release the rebuild, so that another process can go on at once."""
        self._stop.set()
        self._thread.join()
        if not self._is_over and self._lost is None:
            with suppress(MailfoldError):  # the lease ends by itself
                self._store(held_until=_ENDED)

    def update(self, **changes: Any) -> Rebuild:
        """Store changes, and return the rebuild.

        Raises:
            UsageError: Another process has taken it over.
            AccessDenied, ServiceUnavailable: It cannot be stored.
        """
        self.check()
        return self._store(held_until=self._now() + self._lease, **changes)

    def end(self) -> None:
        """Forget the rebuild, because it is over."""
        self.check()
        self._stop.set()
        with self._lock:
            self._state.delete()
            self._is_over = True

    def check(self) -> None:
        """Raise if another process has taken the rebuild over, or if the lease could not be extended in time."""
        if self._lost is not None:
            raise self._lost

    def _store(self, **changes: Any) -> Rebuild:
        with self._lock:
            if not self._is_over:
                rebuild = msgspec.structs.replace(self.rebuild, **changes)
                self._etag = self._state.replace(rebuild, etag=self._etag)
                self.rebuild = rebuild
            return self.rebuild

    def _extend(self) -> None:
        while not self._stop.wait(self._lease.total_seconds() / EXTENSIONS):
            try:
                self._store(held_until=self._now() + self._lease)
            except UsageError as error:
                self._lost = error
                return
            except MailfoldError as error:
                if self._now() >= self.rebuild.held_until:
                    self._lost = error
                    return


def begin(state: RebuildState, rebuild: Rebuild, **options: Any) -> RebuildLease:
    """Begin a rebuild, if there is none, and return it. Raises as `RebuildState.create`."""
    return RebuildLease(state, rebuild, state.create(rebuild), **options)


def take_over(
    state: RebuildState, stored: StoredRebuild, *, now: Callable[[], datetime] = utc_now, lease: timedelta = LEASE
) -> RebuildLease:
    """Take over a rebuild that no process holds, and return it.

    Raises:
        UsageError: Its holder still runs, or another process took it over at the same time.
    """
    rebuild = stored.rebuild
    if now() < rebuild.held_until and not _has_died(rebuild.holder):
        raise UsageError(
            f"{rebuild.sentence}: stop that process with Ctrl-C; if it has died, its lease ends at "
            f"{format_time(rebuild.held_until)}"
        )
    rebuild = msgspec.structs.replace(rebuild, holder=this_holder(), held_until=now() + lease)
    return RebuildLease(state, rebuild, state.replace(rebuild, etag=stored.etag), now=now, lease=lease)


def _has_died(holder: str) -> bool:
    """Return True if the holder ran on this host, and does no more."""
    place, _, process = holder.rpartition(" (process ")
    if place.rpartition(" on ")[2] != socket.gethostname():
        return False
    number = int(process.rstrip(")"))
    if number == os.getpid():
        return False
    try:
        os.kill(number, 0)
    except ProcessLookupError:
        return True
    except PermissionError:
        return False
    return False
