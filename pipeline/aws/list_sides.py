"""SES's suppression lists beside the table, in bounded memory."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from pipeline.account_list import ListEntry
from pipeline.aws.ses import read_account_list, read_tenant_list, tenant_names
from pipeline.aws.spill import KEYS_HELD, Spill
from pipeline.list_difference import ListSides, to_key, to_standing
from pipeline.ports import SuppressionStore
from pipeline.standing import EVERY_SCOPE, Key

if TYPE_CHECKING:
    from mypy_boto3_sesv2 import SESV2Client

SIDES = 2  # the lists, and the table


class ListsRead(msgspec.Struct, kw_only=True):
    """What was read of SES's lists.

    Attributes:
        entries: Entries of all lists.
        unusable: Entries that are not an address.
        own_lists: The tenants that have a list of their own.
    """

    entries: int = 0
    unusable: int = 0
    own_lists: set[str] = msgspec.field(default_factory=set)


def read_all_lists(ses: SESV2Client) -> Iterator[tuple[str, tuple[ListEntry, ...]]]:
    """Yield the pages of the account's list, and of each tenant's own, with the scope.

    Args:
        ses: boto3's client; SES answers one call a second, see `clients.limit_rate`.

    Raises:
        UsageError: The account is in the SES sandbox.
        AccessDenied: AWS denies reading.
        ServiceUnavailable: SES throttles or cannot be reached.
    """
    for page in read_account_list(ses):
        yield EVERY_SCOPE, page.entries
    for name in tenant_names(ses) or ():
        for page in read_tenant_list(ses, name):
            yield name, page.entries


def list_sides(
    pages: Iterable[tuple[str, tuple[ListEntry, ...]]],
    store: SuppressionStore,
    *,
    read: ListsRead,
    progress: Callable[[], None] = lambda: None,
    keys_held: int = KEYS_HELD // SIDES,
) -> Iterator[Mapping[Key, ListSides]]:
    """Yield both sides of every address and scope, many at a time; all keys of an address are in one part.

    Args:
        pages: From `read_all_lists`.
        store: The table.
        read: Counts what is read; complete with the first part.
        progress: Called after each page, and each item of the table.
        keys_held: The number of keys in memory; see `Spill`.

    Raises:
        StoreUnavailable: The table is throttled or unreachable.
        AccessDenied, NotFound: The table may not be read, or does not exist.
        OSError: The file system of the temporary folder is full.
    """
    with Spill(sides=SIDES, keys_held=keys_held) as spill:
        for scope, entries in pages:
            read.entries += len(entries)
            read.own_lists.update({scope} - {EVERY_SCOPE})
            for entry in entries:
                if key := to_key(entry):
                    spill.add({key: to_standing(entry)})
                else:
                    read.unusable += 1
            progress()
        for key, item in store.scan():
            spill.add({key: item.standing}, side=1)
            progress()
        yield from spill.parts()
