"""The standings of a whole table in parts, each with all scopes of its addresses, in bounded memory."""

from collections.abc import Callable, Iterator, Mapping

from pipeline.aws.spill import KEYS_HELD, Spill
from pipeline.ports import SuppressionStore
from pipeline.standing import Key, Standing


def table_standings(
    store: SuppressionStore, *, on_item: Callable[[], None] = lambda: None, keys_held: int = KEYS_HELD
) -> Iterator[Mapping[Key, Standing]]:
    """Yield the standing of every key, many at a time. A scan alone may separate the scopes of an address.

    Args:
        store: The table.
        on_item: Called for each item that was read, for the progress.
        keys_held: The number of keys in memory; see `Spill`.

    Raises:
        StoreUnavailable: The table is throttled or unreachable.
        AccessDenied, NotFound: The table may not be read, or does not exist.
        OSError: The file system of the temporary folder is full.
    """
    with Spill(keys_held=keys_held) as spill:
        for key, item in store.scan():
            spill.add({key: item.standing})
            on_item()
        for part in spill.parts():
            yield {key: standing for key, (standing,) in part.items()}
