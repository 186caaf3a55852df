"""Every error that Mailfold raises, in one tree.

The type of an error decides how it is handled, never its text:

    MailfoldError
    ├── UsageError             the command, its options or the configuration are wrong; nothing was done
    ├── NotAnAddress           an input that must be one e-mail address is none, or several; nothing was sent to it
    ├── InvalidInput           AWS rejects a value or a state; the message names it
    ├── AccessDenied           credentials are missing, expired or not allowed to do this
    ├── NotFound               a named resource does not exist
    ├── QueryFailed            Athena rejected, failed or stopped a query
    ├── Unavailable            temporary; nothing is lost and nothing is acknowledged: try again later
    │   ├── StoreUnavailable       the suppression table is throttled or unreachable
    │   ├── ArchiveUnavailable     the event log is throttled or unreachable
    │   ├── QuarantineUnavailable  the quarantine is throttled or unreachable
    │   ├── ServiceUnavailable     another AWS service throttles, fails or is unreachable
    │   ├── PolicyOutdated         the table was written under a newer policy than this process has
    │   ├── ProcessFailed          this process lacks memory, threads, files or a module; no record is at fault
    │   └── PartialBatchFailure    a write of several records stopped at one; all before it are written
    ├── DeploymentFailed       CloudFormation started to change a deployment and failed
    ├── Conflict               another writer was first: load the item again and join again
    └── ItemRejected           the store rejects this one item permanently: quarantine its records

`STOPS_BATCH` names the errors that stop a batch without losing it: a consumer that gets one of them acknowledges
nothing from that record on. `AccessDenied` and `NotFound` are among them, because a record must wait until an operator
grants the access or creates the resource that storing it needs.

No message contains an e-mail address or a payload, because messages end up in logs.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from traceback import extract_tb, walk_tb


class MailfoldError(Exception):
    """An error that Mailfold raises. Catch this to catch all of them."""


class UsageError(MailfoldError):
    """The command, its options or the configuration are wrong. The message says how to correct them."""


class NotAnAddress(MailfoldError):
    """An input that must be one e-mail address is none, or several. It is never clear to send to."""


class InvalidInput(MailfoldError):
    """AWS rejects a value, or a resource is in a state that does not allow the operation."""


class AccessDenied(MailfoldError):
    """Credentials are missing, expired or not allowed to do this. Trying again with the same ones does not help."""


class NotFound(MailfoldError):
    """A named resource does not exist."""


class QueryFailed(MailfoldError):
    """Athena rejected, failed or stopped a query. The message contains Athena's reason."""


class Unavailable(MailfoldError):
    """A service that is needed is temporarily unavailable. Trying again later is safe and loses nothing."""


class StoreUnavailable(Unavailable):
    """The suppression table is throttled or unreachable."""


class ArchiveUnavailable(Unavailable):
    """The event log is throttled or unreachable."""


class QuarantineUnavailable(Unavailable):
    """The quarantine is throttled or unreachable."""


class ServiceUnavailable(Unavailable):
    """An AWS service throttles, fails or is unreachable."""


class PolicyOutdated(Unavailable):
    """The table holds verdicts of a newer policy. Writing would restore an old one. Read the policy in force again.

    Attributes:
        own_version: The policy version of this process.
        table_version: The policy version found in the table.
    """

    def __init__(self, *, own_version: int, table_version: int) -> None:
        self.own_version, self.table_version = own_version, table_version
        super().__init__(
            f"the table was written under policy version {table_version}, this process has {own_version}: "
            "try again, or publish the newer one with `mailfold policy apply`"
        )


class ProcessFailed(Unavailable):
    """This process lacks memory, threads, files or a module. No record is at fault: see `process_errors_stop`."""


class PartialBatchFailure(Unavailable):
    """A write of several records to the log stopped. All before `failed_at` are written; start again there.

    The projection does not raise it: `projection.BatchResult` states where a batch stopped.

    Attributes:
        failed_at: Index of the first record that is not written.
    """

    def __init__(self, *, failed_at: int, cause: MailfoldError) -> None:
        self.failed_at = failed_at
        super().__init__(f"the batch stopped at record {failed_at}: {cause}")


class DeploymentFailed(MailfoldError):
    """CloudFormation started to change a deployment and failed. The message names the resource and AWS's reason."""


class Conflict(MailfoldError):
    """The item changed after it was loaded. Nothing was written. Load it again and join again."""

    def __init__(self) -> None:
        super().__init__("the item changed after it was loaded: load it again")


class ItemRejected(MailfoldError):
    """The store rejects this item however often it is tried."""


STOPS_BATCH = (Unavailable, AccessDenied, NotFound)
"""Errors that stop a batch. Nothing from the failed record on is acknowledged, so nothing is lost."""


def describe(error: BaseException) -> str:
    """Return the type of an unexpected error and the line that raised it, for a log entry or a quarantine reason.

    The text of the error is left out: it may quote an address or a payload. Of an error of the operating system, its
    reason and the file are kept, such as a full disk.
    """
    frames = extract_tb(error.__traceback__)
    place = f" in {frames[-1].filename.rpartition('/')[2]}, line {frames[-1].lineno}" if frames else ""
    return f"internal error, {type(error).__name__}{place}{_system_reason(error)}"


def _system_reason(error: BaseException) -> str:
    if not isinstance(error, OSError) or not error.strerror:
        return ""
    return "".join(f": {part}" for part in (error.strerror, str(error.filename or "")) if part and "@" not in part)


_PROCESS_ERRORS = (MemoryError, ImportError, OSError)
_THREAD_MODULES = {"threading", "concurrent.futures.thread"}


@contextmanager
def process_errors_stop() -> Iterator[None]:
    """Raise an error of the process as `ProcessFailed`, so that it stops a batch and no record is blamed.

    These are a lack of memory, of a module, of files or of connections, and a thread that cannot start or is shut down.
    For threads, Python raises a plain RuntimeError (docs.python.org/3/library/threading.html#threading.Thread.start),
    which is known by the module that raises it.

    Raises:
        ProcessFailed: The process lacks something. The message names the type of the error and its line.
    """
    try:
        yield
    except Exception as error:
        if isinstance(error, _PROCESS_ERRORS) or (type(error) is RuntimeError and _raised_in(error) in _THREAD_MODULES):
            raise ProcessFailed(f"the process failed, not a record: {describe(error)}") from error
        raise


def _raised_in(error: BaseException) -> str | None:
    """Return the name of the module that raised an error, which was caught."""
    *_, (frame, _) = walk_tb(error.__traceback__)
    return frame.f_globals.get("__name__")
