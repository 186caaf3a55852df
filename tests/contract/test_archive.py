"""The contract of `ports.Archive`, for the logs in memory and in S3."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import count
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.clients import create_client
from pipeline.decode import DECODER_VERSION
from pipeline.fact import Fact
from pipeline.memory import MemoryArchive
from pipeline.ports import Archive
from pipeline.row import Row, event_time, row_facts
from tests.support.builders import ADA, BOB, a_bounce, a_complaint, a_decision, a_send, one_of_each
from tests.support.rows import ARRIVED_AT, a_row, any_rows, rows_of

BUCKET = "mailfold-log"
HOUR = timedelta(hours=1)
TICK = timedelta(milliseconds=1)

# Each example creates its own archive, so that one fixture may serve them all. Against S3 a failure would take minutes
# to shrink; test_parquet.py shrinks most of the possible failures.
LAWS = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=set(Phase) - {Phase.shrink, Phase.explain},
)

MakeArchive = Callable[[], Archive]


@pytest.fixture(params=["memory", "s3"])
def make(request: pytest.FixtureRequest) -> Iterator[MakeArchive]:
    """Return a function that creates an empty archive."""
    if request.param == "memory":
        yield MemoryArchive
        return
    with mock_aws():
        s3 = create_client("s3", region="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        number = count()
        yield lambda: S3Archive(s3, bucket=BUCKET, prefix=f"{next(number)}/events/")


def an_archive(make: MakeArchive, rows: Sequence[Row]) -> Archive:
    archive = make()
    archive.append(rows)
    return archive


def a_row_at(moment: datetime, **changes: Any) -> Row:
    """Return the row of an event of this time, which arrived long after."""
    return a_row(occurred_at=moment, arrived_at=ARRIVED_AT.replace(year=2030), **changes)


def rows_in(archive: Archive, *, since: datetime | None = None, until: datetime | None = None) -> list[Row]:
    return sorted((row for rows in archive.rows(since=since, until=until) for row in rows), key=repr)


def facts_in(archive: Archive, *, since: datetime | None = None, until: datetime | None = None) -> list[Fact]:
    scans = archive.scan_facts(since=since, until=until)
    return sorted((fact for scan in scans for fact in scan.facts), key=repr)


def rows_scanned(archive: Archive, *, since: datetime | None = None, until: datetime | None = None) -> int:
    return sum(scan.rows for scan in archive.scan_facts(since=since, until=until))


def facts_of(rows: Sequence[Row]) -> list[Fact]:
    return sorted((fact for row in rows for fact in row_facts(row)), key=repr)


def test_an_empty_archive_has_no_rows_and_no_facts(make: MakeArchive) -> None:
    """Appending no rows changes nothing."""
    archive = an_archive(make, [])

    assert (rows_in(archive), facts_in(archive), rows_scanned(archive)) == ([], [], 0)


@given(rows=any_rows)
@LAWS
def test_rows_are_read_back_with_every_column(make: MakeArchive, rows: list[Row]) -> None:
    """Every value that a column can hold survives."""
    assert rows_in(an_archive(make, rows)) == sorted(rows, key=repr)


@given(rows=any_rows)
@LAWS
def test_scanned_facts_are_those_of_the_rows(make: MakeArchive, rows: list[Row]) -> None:
    """Every row is counted, with facts or without."""
    archive = an_archive(make, rows)

    assert facts_in(archive) == facts_of(rows)
    assert rows_scanned(archive) == len(rows)


def test_facts_are_scanned_among_events_of_every_kind(make: MakeArchive) -> None:
    """Rows without facts beside them do not matter."""
    complaint = a_complaint(recipients=[ADA, BOB])
    release = a_decision(action="release")
    rows = rows_of(*one_of_each().values(), complaint, release)

    archive = an_archive(make, rows)

    assert facts_of(rows) != []
    assert facts_in(archive) == facts_of(rows)


@pytest.mark.parametrize("is_feedback", [True, False])
def test_a_row_of_another_decoder_is_decoded_again(make: MakeArchive, is_feedback: bool) -> None:
    """The facts come from `raw`, whether the row was stored as feedback or not."""
    old = a_row(a_bounce(), decoder_version=DECODER_VERSION - 1, is_feedback=is_feedback, facts=(), event_id="old")
    rows = [old, a_row(a_bounce(feedback_id="other")), a_row(a_send())]

    archive = an_archive(make, rows)

    assert facts_in(archive) == facts_of([a_row(a_bounce()), rows[1]])
    assert rows_scanned(archive) == 3


@given(
    hours=st.lists(st.integers(-30_000_000, 30_000_000), max_size=6),
    bounds=st.tuples(*[st.none() | st.integers(-30_000_000, 30_000_000)] * 2),
)
@LAWS
def test_rows_and_facts_are_bounded_by_event_time(
    make: MakeArchive, hours: list[int], bounds: tuple[int | None, int | None]
) -> None:
    """`since` is inclusive, and `until` is exclusive."""
    rows = [a_row_at(ARRIVED_AT + ms * TICK, event_id=str(n)) for n, ms in enumerate(hours)]
    since, until = (None if bound is None else ARRIVED_AT + bound * TICK for bound in bounds)
    expected = [
        row
        for row in rows
        if (since is None or event_time(row) >= since) and (until is None or event_time(row) < until)
    ]

    archive = an_archive(make, rows)

    assert rows_in(archive, since=since, until=until) == sorted(expected, key=repr)
    assert facts_in(archive, since=since, until=until) == facts_of(expected)
    assert rows_scanned(archive, since=since, until=until) == len(expected)


@pytest.mark.parametrize(
    "hour", [ARRIVED_AT.replace(minute=0, second=0), ARRIVED_AT.replace(hour=0, minute=0, second=0)]
)
def test_a_bound_on_the_hour_is_exact(make: MakeArchive, hour: datetime) -> None:
    """The partitions by hour do not change which rows are read."""
    before, at = a_row_at(hour - TICK), a_row_at(hour)

    archive = an_archive(make, [before, at])

    assert rows_in(archive, since=hour) == [at]
    assert rows_in(archive, until=hour) == [before]
    assert rows_in(archive, since=hour - TICK, until=hour) == [before]
    assert rows_in(archive, since=hour, until=hour) == []


def test_a_bound_may_be_in_any_time_zone(make: MakeArchive) -> None:
    """Bounds are compared as moments."""
    archive = an_archive(make, [a_row_at(ARRIVED_AT - TICK), a_row_at(ARRIVED_AT)])
    bound = ARRIVED_AT.astimezone(timezone(5.5 * HOUR))

    assert [row.occurred_at for row in rows_in(archive, since=bound)] == [ARRIVED_AT]
    assert [row.occurred_at for row in rows_in(archive, until=bound)] == [ARRIVED_AT - TICK]


def test_hours_are_scanned_whole(make: MakeArchive) -> None:
    """From the hour of one bound to that of the other, whatever their minutes."""
    hour = ARRIVED_AT.replace(minute=0, second=0, microsecond=0)
    moments = [hour - TICK, hour, hour + HOUR - TICK, hour + HOUR, hour + 2 * HOUR]
    archive = an_archive(make, [a_row_at(moment, event_id=str(n)) for n, moment in enumerate(moments)])
    since, until = hour + HOUR / 2, hour + HOUR * 1.5

    def rows_scanned(*bounds: datetime | None) -> int:
        begin, end = bounds
        return sum(scan.rows for scan in archive.scan_hours(since=begin, until=end))

    assert [rows_scanned(since, until), rows_scanned(since, since), rows_scanned(until, since)] == [3, 2, 0]
    assert [rows_scanned(since, None), rows_scanned(None, since), rows_scanned(None, None)] == [4, 3, 5]


def test_appending_again_changes_no_fact(make: MakeArchive) -> None:
    """Rows may be stored twice, and none is lost."""
    rows = rows_of(*one_of_each().values())
    archive = an_archive(make, rows)

    archive.append(rows)
    archive.append(rows[:3])

    assert set(map(repr, rows_in(archive))) == set(map(repr, rows))
    assert set(facts_in(archive)) == set(facts_of(rows))


def test_copies_of_one_event_are_both_stored(make: MakeArchive) -> None:
    """The log does not deduplicate by event."""
    copies = [a_row(), msgspec.structs.replace(a_row(), reporting_mta="another envelope's")]
    archive = make()

    for copy in copies:
        archive.append([copy])

    assert rows_in(archive) == sorted(copies, key=repr)


def test_events_are_found_with_the_facts_of_the_same_rows(make: MakeArchive) -> None:
    """Also an event without facts. An event that is not in the log, or only before the bound, is not found."""
    moments = [ARRIVED_AT - 2 * HOUR, ARRIVED_AT]
    early, late = (a_row_at(moment, event_id=str(number)) for number, moment in enumerate(moments))
    silent = msgspec.structs.replace(a_row_at(ARRIVED_AT, event_id="silent"), facts=(), is_feedback=False)
    archive = an_archive(make, [early, late, silent])
    wanted = frozenset({"0", "1", "silent", "missing"})

    def found(since: datetime | None) -> tuple[set[str], int]:
        scans = list(archive.scan_events(wanted, since=since))
        return {name for scan in scans for name in scan.ids}, sum(len(scan.facts) for scan in scans)

    assert found(None) == ({"0", "1", "silent"}, 2)
    assert found(ARRIVED_AT) == ({"1", "silent"}, 1)
