"""Name an error that nobody foresaw, without its text: that may quote an address or a payload. Pure.

Every error this project raises, in one tree.

Its type decides what happens to an error, never its text:

    MailfoldError
    ├── UsageError             the caller asked for something that cannot be: exit 2, nothing was done
    ├── Outage               try again later: nothing is lost, nothing is acknowledged
    │   ├── StoreUnavailable       the suppression table is throttled or unreachable
    │   ├── ArchiveUnavailable     the log is unreachable
    │   ├── QuarantineUnavailable  the quarantine is unreachable
    │   ├── CloudUnavailable       AWS throttles, or cannot be reached, where a deployment is looked at or changed
    │   ├── PolicyOutdated         the table was written under a newer policy than ours
    │   └── BatchUnfinished        an outage in the middle of a batch, and where it stopped
    ├── DeploymentFailed     AWS began to change a deployment, and did not end well
    ├── Conflict             another writer was first: load again and join again
    └── Rejected             the store refuses this one item for good: quarantine what led to it

No message holds an address or a payload: errors end up in logs, and logs are no place for personal data.
"""

from traceback import extract_tb


class MailfoldError(Exception):
    """Whatever went wrong here; catch this to catch all of it."""


class UsageError(MailfoldError):
    """The request itself is wrong. Its text says how to put it right."""


class Unavailable(MailfoldError):
    """Something needed is away for now. Trying again later is safe and loses nothing."""


class StoreUnavailable(Unavailable):
    """The suppression table is throttled or unreachable."""


class ArchiveUnavailable(Unavailable):
    """The log is throttled or unreachable."""


class QuarantineUnavailable(Unavailable):
    """The quarantine is throttled or unreachable."""


class ServiceUnavailable(Unavailable):
    """AWS throttles, fails or cannot be reached, where a deployment is looked at or changed."""


class PolicyOutdated(Unavailable):
    """The table holds verdicts of a newer policy; writing would bring back an old one. Deploy the newer policy.

    Attributes:
        ours: The policy version of this process.
        theirs: The version found in the table.
    """

    def __init__(self, *, ours: int, theirs: int) -> None:
        self.ours, self.theirs = ours, theirs
        super().__init__(
            f"the table was written under policy version {theirs}, this process has {ours}: deploy the newer one"
        )


class PartialBatchFailure(Unavailable):
    """An outage stopped a batch. Everything before `first` is stored or quarantined; start again there.

    Attributes:
        first: Index of the first record that is not done.
    """

    def __init__(self, *, first: int, cause: Unavailable) -> None:
        self.first = first
        super().__init__(f"stopped at record {first} of the batch: {cause}")


class DeploymentFailed(MailfoldError):
    """AWS began to change a deployment, and did not end well. Its text says which part, and AWS's reason."""


class Conflict(MailfoldError):
    """The item changed after it was loaded. Nothing was written: load it again, join again."""

    def __init__(self) -> None:
        super().__init__("the item changed after it was loaded: load it again")


class ItemRejected(MailfoldError):
    """The store refuses this item however often it is tried."""


def describe(error: BaseException) -> str:
    """Return an error's type and the line that raised it, for a log or a reason."""
    frames = extract_tb(error.__traceback__)
    place = f" in {frames[-1].filename.rpartition('/')[2]}, line {frames[-1].lineno}" if frames else ""
    return f"an error of ours, {type(error).__name__}{place}"
