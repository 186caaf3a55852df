"""Derive the verdicts of a table again under a newer policy, without a change of its facts.

It is the same `merge` as live traffic's, of nothing: an item of an older policy gets the verdict of the newer one, on
the condition that its facts are as they were loaded. So a projector may run beside it, it may be interrupted, and it
may be repeated: what is done is found unchanged. Pure except for the ports.
"""

from collections.abc import Callable, Iterator, Mapping

import msgspec

from pipeline.batch import in_parts
from pipeline.digest import digest
from pipeline.errors import StoreUnavailable
from pipeline.policy import Policy
from pipeline.ports import Item, SuppressionStore
from pipeline.projection import merge_fully
from pipeline.standing import NOTHING_KNOWN, Key, Standing

ITEMS_PER_MERGE = 2_000  # between two updates of the progress; some megabytes
PASSES = 5  # after the wait, one finds nothing, unless a process with an old policy still runs

Tables = Mapping[str, SuppressionStore]
"""Tables by name."""


class Pass(msgspec.Struct, kw_only=True):
    """A pass over a table, so far or in the end.

    Attributes:
        table: Its name.
        items: Items that were read.
        written: Items that got another verdict.
        digest: The digest of the facts that were read; see `pipeline.digest`. "" until the end.
    """

    table: str
    items: int = 0
    written: int = 0
    digest: str = ""


class TableResult(msgspec.Struct, kw_only=True):
    """A table whose verdicts were derived again.

    Attributes:
        items: Items of the last pass.
        written: Items that got another verdict, in all passes.
        digest_before: The digest of the facts that the first pass read.
        digest_after: The digest of the facts that the last pass read. It differs from the first only by the feedback
            that arrived between them.
    """

    items: int = 0
    written: int = 0
    digest_before: str = ""
    digest_after: str = ""


Progress = Callable[[Pass], None]


def rederive_all(
    tables: Callable[[], Tables], *, policy: Policy, wait: Callable[[], None], progress: Progress = lambda _: None
) -> Mapping[str, TableResult]:
    """Derive all verdicts of tables under `policy`, at once and again after a wait, until no item is older.

    Args:
        tables: Reads which tables there are: the live one and the shadow tables.
        policy: The policy, which is published.
        wait: Waits until no projector writes under an older policy any more.
        progress: Called after every part of a table.

    Returns:
        The results by table.

    Raises:
        StoreUnavailable: A table is throttled or unreachable, or some process still writes under an older policy.
        AccessDenied, NotFound: A table may not be read or written, or does not exist.
    """
    results: dict[str, TableResult] = {}
    for name, store in tables().items():
        _note(results, rederive(name, store, policy=policy, progress=progress))
    wait()
    for name, store in tables().items():
        for _ in range(PASSES):
            if not _note(results, rederive(name, store, policy=policy, progress=progress)):
                break
        else:
            raise StoreUnavailable(
                f"a process still writes to the table {name} under an older policy: end each ingest and replay that "
                "began before, and try again"
            )
    return results


def rederive(name: str, store: SuppressionStore, *, policy: Policy, progress: Progress = lambda _: None) -> Pass:
    """Derive once again each verdict of the table that is older than `policy`.

    Raises:
        StoreUnavailable: The table is throttled or unreachable. What was written before stays; start again.
        AccessDenied, NotFound: The table may not be read or written, or does not exist.
    """
    done = Pass(table=name)

    def read(part: list[tuple[Key, Item]]) -> Iterator[tuple[Key, Standing]]:
        older = {key: NOTHING_KNOWN for key, item in part if item.policy_version < policy.version}
        done.items += len(part)
        done.written += merge_fully(older, store=store, policy=policy).written
        progress(done)
        return ((key, item.standing) for key, item in part)

    done.digest = digest(standing for part in in_parts(store.scan(), ITEMS_PER_MERGE) for standing in read(part))
    return done


def _note(results: dict[str, TableResult], done: Pass) -> int:
    """Add a pass to the results, and return how many items it wrote."""
    result = results.setdefault(done.table, TableResult(digest_before=done.digest))
    result.items, result.digest_after = done.items, done.digest
    result.written += done.written
    return done.written
