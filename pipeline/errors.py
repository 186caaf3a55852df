"""Every error this project raises, in one tree.

Its type decides what happens to an error, never its text:

    MailfoldError
    ├── Misuse               the caller asked for something that cannot be: exit 2, nothing was done
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


class MailfoldError(Exception):
    """Whatever went wrong here; catch this to catch all of it."""


class Misuse(MailfoldError):
    """The request itself is wrong. Its text says how to put it right."""


class Outage(MailfoldError):
    """Something needed is away for now. Trying again later is safe and loses nothing."""


class StoreUnavailable(Outage):
    """The suppression table is throttled or unreachable."""


class ArchiveUnavailable(Outage):
    """The log is throttled or unreachable."""


class QuarantineUnavailable(Outage):
    """The quarantine is throttled or unreachable."""


class CloudUnavailable(Outage):
    """AWS throttles, fails or cannot be reached, where a deployment is looked at or changed."""


class PolicyOutdated(Outage):
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


class BatchUnfinished(Outage):
    """An outage stopped a batch. Everything before `first` is stored or quarantined; start again there.

    Attributes:
        first: Index of the first record that is not done.
    """

    def __init__(self, *, first: int, cause: Outage) -> None:
        self.first = first
        super().__init__(f"stopped at record {first} of the batch: {cause}")


class DeploymentFailed(MailfoldError):
    """AWS began to change a deployment, and did not end well. Its text says which part, and AWS's reason."""


class Conflict(MailfoldError):
    """The item changed after it was loaded. Nothing was written: load it again, join again."""

    def __init__(self) -> None:
        super().__init__("the item changed after it was loaded: load it again")


class Rejected(MailfoldError):
    """The store refuses this item however often it is tried."""
