"""Every record of the event log about one address, by one Athena query.

The statement is schemas/queries/events_of_an_address.sql. The address is a parameter of it, never a part of its text.
Records are decoded again from `raw`, so that the rows of an older decoder are read as this version reads them.
"""

from collections.abc import Callable, Iterator, Sequence
from datetime import date

from pipeline.address import Address
from pipeline.aws.archive.athena import QueryResult
from pipeline.aws.archive.sql_files import sql_files
from pipeline.errors import MailfoldError
from pipeline.explanation import LogAnswer
from pipeline.logged_event import LoggedEvent, logged_events
from pipeline.timestamp import parse_time

STATEMENT = "events_of_an_address"

RunQuery = Callable[[str, Sequence[str]], QueryResult]
"""Runs a statement with its parameters; see `athena.query`, whose errors it raises."""


def read_history(
    run: RunQuery,
    addresses: Sequence[Address],
    *,
    first_day: date = date.min,
    last_day: date = date.max,
    is_whole: bool = True,
) -> LogAnswer:
    """Return what the log says about an address. If it cannot be read, the answer says why.

    Args:
        run: Runs a statement.
        addresses: The address, or the two under which a person who was erased is known.
        first_day: The first day (`dt`) to read.
        last_day: The last day to read.
        is_whole: False if other days of the log may be about the address too.
    """
    either = (addresses[0], addresses[-1])
    parameters = (first_day.isoformat(), last_day.isoformat(), *either, *either)
    try:
        result = run(_statement(), parameters)
        events = list(_events(result, addresses))
    except MailfoldError as error:
        return LogAnswer(problem=str(error), is_whole=False)
    return LogAnswer(events=events, is_whole=is_whole, scanned_bytes=result.scanned_bytes)


def _statement() -> str:
    return next(file.sql for file in sql_files("queries") if file.name == STATEMENT)


def _events(result: QueryResult, addresses: Sequence[Address]) -> Iterator[LoggedEvent]:
    for raw, arrived_at in result.rows:
        moment = parse_time(arrived_at)
        if raw and moment:  # both are required columns of the log
            yield from logged_events(raw.encode(), arrived_at=moment, addresses=addresses)
