"""What every archive promises, in memory and in S3."""

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta, timezone
from itertools import count

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
from pipeline.row import Row, row_facts
from tests.support.builders import ADA, BOB, a_bounce, a_complaint, a_decision, a_send, one_of_each
from tests.support.rows import ARRIVED_AT, a_row, any_rows, rows_of

BUCKET = "mailfold-log"
HOUR = timedelta(hours=1)
TICK = timedelta(milliseconds=1)

# Each example makes an archive of its own, so that the fixture may serve them all. Against S3 a failure would take
# minutes to shrink; test_parquet.py shrinks most of what can go wrong here.
LAWS = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=set(Phase) - {Phase.shrink, Phase.explain},
)

Make = Callable[[], Archive]


@pytest.fixture(params=["memory", "s3"])
def make(request: pytest.FixtureRequest) -> Iterator[Make]:
    """Give what makes an empty archive."""
    if request.param == "memory":
        yield MemoryArchive
        return
    with mock_aws():
        s3 = create_client("s3", region="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        number = count()
        yield lambda: S3Archive(s3, bucket=BUCKET, prefix=f"{next(number)}/events/")


def kept(make: Make, rows: Sequence[Row]) -> Archive:
    archive = make()
    archive.append(rows)
    return archive


def rows_in(archive: Archive, *, since: datetime | None = None, until: datetime | None = None) -> list[Row]:
    return sorted((row for lot in archive.rows(since=since, until=until) for row in lot), key=repr)


def found_in(archive: Archive, *, since: datetime | None = None, until: datetime | None = None) -> list[Fact]:
    scans = archive.findings(since=since, until=until)
    return sorted((finding for scan in scans for finding in scan.findings), key=repr)


def rows_passed(archive: Archive, *, since: datetime | None = None, until: datetime | None = None) -> int:
    return sum(scan.rows for scan in archive.findings(since=since, until=until))


def facts_of(rows: Sequence[Row]) -> list[Fact]:
    return sorted((finding for row in rows for finding in row_facts(row)), key=repr)


def test_an_empty_archive_gives_nothing(make: Make) -> None:
    archive = kept(make, [])

    assert (rows_in(archive), found_in(archive), rows_passed(archive)) == ([], [], 0)


@given(rows=any_rows)
@LAWS
def test_rows_come_back_with_every_column(make: Make, rows: list[Row]) -> None:
    assert rows_in(kept(make, rows)) == sorted(rows, key=repr)


@given(rows=any_rows)
@LAWS
def test_the_facts_are_those_in_the_rows(make: Make, rows: list[Row]) -> None:
    archive = kept(make, rows)

    assert found_in(archive) == facts_of(rows)
    assert rows_passed(archive) == len(rows)


def test_facts_are_found_among_events_of_every_kind(make: Make) -> None:
    complaint = a_complaint(recipients=[ADA, BOB])
    release = a_decision(action="release", read=["1" * 32, "2" * 32])
    rows = rows_of(*one_of_each().values(), complaint, release)

    archive = kept(make, rows)

    assert [finding.fact for finding in facts_of(rows)] != []
    assert found_in(archive) == facts_of(rows)


@pytest.mark.parametrize("is_feedback", [True, False])
def test_a_row_of_another_decoder_is_decoded_again_whatever_it_was_taken_for(make: Make, is_feedback: bool) -> None:
    old = a_row(a_bounce(), decoder_version=DECODER_VERSION - 1, is_feedback=is_feedback, facts=(), event_id="old")
    rows = [old, a_row(a_bounce(feedback_id="other")), a_row(a_send())]

    archive = kept(make, rows)

    assert found_in(archive) == facts_of([a_row(a_bounce()), rows[1]])
    assert rows_passed(archive) == 3


@given(
    hours=st.lists(st.integers(-30_000_000, 30_000_000), max_size=6),
    bounds=st.tuples(*[st.none() | st.integers(-30_000_000, 30_000_000)] * 2),
)
@LAWS
def test_rows_are_those_that_arrived_from_since_up_to_but_not_until(
    make: Make, hours: list[int], bounds: tuple[int | None, int | None]
) -> None:
    rows = [a_row(arrived_at=ARRIVED_AT + ms * TICK, event_id=str(n)) for n, ms in enumerate(hours)]
    since, until = (None if bound is None else ARRIVED_AT + bound * TICK for bound in bounds)
    expected = [
        row for row in rows if (since is None or row.arrived_at >= since) and (until is None or row.arrived_at < until)
    ]

    archive = kept(make, rows)

    assert rows_in(archive, since=since, until=until) == sorted(expected, key=repr)
    assert found_in(archive, since=since, until=until) == facts_of(expected)
    assert rows_passed(archive, since=since, until=until) == len(expected)


@pytest.mark.parametrize(
    "hour", [ARRIVED_AT.replace(minute=0, second=0), ARRIVED_AT.replace(hour=0, minute=0, second=0)]
)
def test_a_bound_on_the_hour_is_exact(make: Make, hour: datetime) -> None:
    before, at = a_row(arrived_at=hour - TICK), a_row(arrived_at=hour)

    archive = kept(make, [before, at])

    assert rows_in(archive, since=hour) == [at]
    assert rows_in(archive, until=hour) == [before]
    assert rows_in(archive, since=hour - TICK, until=hour) == [before]
    assert rows_in(archive, since=hour, until=hour) == []


def test_a_bound_may_be_in_any_time_zone(make: Make) -> None:
    archive = kept(make, [a_row(arrived_at=ARRIVED_AT - TICK), a_row(arrived_at=ARRIVED_AT)])
    bound = ARRIVED_AT.astimezone(timezone(5.5 * HOUR))

    assert [row.arrived_at for row in rows_in(archive, since=bound)] == [ARRIVED_AT]
    assert [row.arrived_at for row in rows_in(archive, until=bound)] == [ARRIVED_AT - TICK]


def test_appending_again_loses_nothing_and_changes_no_fact(make: Make) -> None:
    rows = rows_of(*one_of_each().values())
    archive = kept(make, rows)

    archive.append(rows)
    archive.append(rows[:3])

    assert set(map(repr, rows_in(archive))) == set(map(repr, rows))
    assert set(found_in(archive)) == set(facts_of(rows))


def test_differing_copies_of_one_event_are_both_kept(make: Make) -> None:
    copies = [a_row(), msgspec.structs.replace(a_row(), reporting_mta="another carrier's")]
    archive = make()

    for copy in copies:
        archive.append([copy])

    assert rows_in(archive) == sorted(copies, key=repr)
