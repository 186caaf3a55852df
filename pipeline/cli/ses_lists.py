"""SES's suppression lists compared with the table, for `mailfold reconcile --with-ses`."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import msgspec
from rich.progress import SpinnerColumn, TimeElapsedColumn

from pipeline.aws.clients import limit_rate
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.list_sides import ListsRead, list_sides, read_all_lists
from pipeline.cli.output import counted, progress
from pipeline.cli.target import Target
from pipeline.list_difference import LISTED_CAUSES, SUPPRESSED_CAUSES, ListCause, ListDifference, list_differences
from pipeline.timestamp import to_ms

CAUSES = LISTED_CAUSES | SUPPRESSED_CAUSES


class ListsCompared(msgspec.Struct, kw_only=True):
    """The differences between SES's lists and the table, by cause.

    Attributes:
        entries: Entries of all lists.
        unusable: Entries that are not an address.
        own_lists: The number of tenants that have a list of their own.
        listed: Entries that are not suppressed here, by cause.
        suppressed: Addresses that are suppressed here and on no list, by cause.
    """

    entries: int = 0
    unusable: int = 0
    own_lists: int = 0
    listed: Counter[str] = msgspec.field(default_factory=Counter)
    suppressed: Counter[str] = msgspec.field(default_factory=Counter)


def compare_lists(
    cloud: Target, *, now: datetime, grace: timedelta, show: Callable[[ListDifference], None]
) -> ListsCompared:
    """Compare SES's lists with the table, in both directions, and show the progress.

    Args:
        cloud: The cloud.
        now: The time to compare for, aware.
        grace: What is younger than this is left out: SES's list, or the table, may not have it yet.
        show: Called with each difference.
    """
    ses, read, compared = cloud.clients.sesv2, ListsRead(), ListsCompared()
    if not cloud.is_local:
        limit_rate(ses)
    store = DynamoSuppressionStore(cloud.clients.dynamodb, table=cloud.settings.table)
    with progress(SpinnerColumn(), "{task.description}", TimeElapsedColumn()) as display:
        task = display.add_task("reading SES's suppression lists")

        def show_entries() -> None:
            display.update(task, description=f"{_entries(read.entries)} of SES's suppression lists")

        for difference in list_differences(
            list_sides(read_all_lists(ses), store, read=read, progress=show_entries),
            policy=cloud.settings.policy,
            own_lists=read.own_lists,
            now=now,
            settled_before_ms=to_ms(now - grace) + 1,
        ):
            (compared.listed if difference.is_listed else compared.suppressed)[difference.cause.value] += 1
            show(difference)
    compared.entries, compared.unusable, compared.own_lists = read.entries, read.unusable, len(read.own_lists)
    return compared


def list_lines(compared: ListsCompared) -> Iterator[str]:
    """Yield the result as lines for people."""
    tenants = f", {counted(compared.own_lists, 'tenant')} with a list of its own" if compared.own_lists else ""
    unusable = f", {compared.unusable:,} not an address" if compared.unusable else ""
    yield f"{_entries(compared.entries)} of SES's suppression lists{tenants}{unusable}"
    for direction, causes in (
        ("on SES's list and not suppressed here", compared.listed),
        ("suppressed here and not on SES's list", compared.suppressed),
    ):
        yield f"{causes.total():,} {direction}"
        for cause, count in causes.most_common():
            yield f"  {count:>6,}  {CAUSES[ListCause(cause)]}"


def _entries(number: int) -> str:
    return counted(number, "entry", "entries")
