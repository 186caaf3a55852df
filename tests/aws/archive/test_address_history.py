"""The events of an address are read from the log by one query, in which the address is a parameter."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta

import pytest

from pipeline.address import Address, canonical
from pipeline.aws.archive.address_history import read_history
from pipeline.aws.archive.athena import QueryResult, ResultColumn
from pipeline.errors import AccessDenied, ArchiveUnavailable, MailfoldError, NotFound, QueryFailed
from pipeline.local.athena import Athena
from pipeline.local.sql.parameters import bind
from pipeline.standing import FactKind
from tests.support.builders import ADA, BOB, OCCURRED_AT, a_bounce, a_complaint, a_decision, a_delivery, a_send
from tests.support.log_in_s3 import a_bucket, keep, mock_s3
from tests.support.rows import ARRIVED_AT

IDN = "Zoë@Bücher.example"
RECORDS = (
    a_send(destination=[ADA, BOB]),
    a_delivery(recipients=(BOB,)),
    a_bounce(recipients=(ADA,)),
    a_bounce(recipients=(), destination=[ADA], feedback_id="names no one", messageId="alone"),
    a_bounce(recipients=("o'hara@example.com",), feedback_id="quoted", messageId="m2"),
    a_complaint(recipients=(IDN,), messageId="m3"),
    a_decision(address=ADA, author="gerda"),
)


@pytest.fixture(scope="module")
def athena() -> Iterator[Athena]:
    """Athena over a log that has each record twice, a day apart."""
    with mock_s3() as s3:
        bucket = a_bucket(s3)
        for days in (1, 0):
            keep(s3, bucket, *RECORDS, arrived_at=ARRIVED_AT + timedelta(days=days))
        with Athena(s3, bucket=bucket) as athena:
            yield athena


class Runner:
    """Runs a statement in the local Athena, and remembers it."""

    def __init__(self, athena: Athena) -> None:
        self._athena = athena
        self.statement = ""

    def __call__(self, sql: str, parameters: Sequence[str]) -> QueryResult:
        self.statement = sql
        quoted = ["'" + text.replace("'", "''") + "'" for text in parameters]
        result = self._athena.run(bind(sql, quoted))
        texts = [tuple(None if value is None else str(value) for value in row) for row in result.rows]
        return QueryResult(columns=(), rows=texts, scanned_bytes=7)


def kinds(athena: Athena, address: str, *, first_day: date = date.min, last_day: date = date.max) -> list[str]:
    key = canonical(address)
    assert key
    log = read_history(Runner(athena), [key], first_day=first_day, last_day=last_day)
    return sorted((event.kind for event in log.events), reverse=True)


def test_every_event_and_decision_of_an_address_is_read_once(athena: Athena) -> None:
    """Those that name it, and a bounce that names no one; a copy of a day later changes nothing."""
    log = read_history(Runner(athena), [Address(ADA)])
    assert sorted(event.kind for event in log.events) == ["bounce", "bounce", "decision", "send"]
    assert [event.arrived_at for event in log.events] == [ARRIVED_AT] * 4
    facts = [fact.kind for event in log.events for fact in event.facts]
    assert sorted(facts) == [FactKind.HARD, FactKind.INFERRED, FactKind.SUPPRESS]
    assert (log.problem, log.is_whole, log.scanned_bytes) == ("", True, 7)


def test_a_person_who_was_erased_is_found_by_both_addresses(athena: Athena) -> None:
    """The second one is the hash that took the place of the first in some rows."""
    log = read_history(Runner(athena), [Address(ADA), Address(BOB)])
    assert sorted(event.kind for event in log.events) == ["bounce", "bounce", "decision", "delivery", "send"]


@pytest.mark.parametrize(
    ("address", "found"), [("O'Hara@Example.com", ["bounce"]), (IDN, ["complaint"]), ("x@y.z", [])]
)
def test_an_address_of_any_characters_is_found(athena: Athena, address: str, found: list[str]) -> None:
    """A quote in it is no end of a text, and an international domain has its one form."""
    assert kinds(athena, address) == found


def test_the_days_bound_what_is_read(athena: Athena) -> None:
    """Both days are included."""
    arrived_on = ARRIVED_AT.date()
    assert kinds(athena, BOB, first_day=arrived_on, last_day=arrived_on) == ["send", "delivery"]
    assert kinds(athena, BOB, last_day=arrived_on - timedelta(days=1)) == []
    assert kinds(athena, BOB, first_day=arrived_on + timedelta(days=2)) == []
    later = read_history(Runner(athena), [Address(BOB)], first_day=arrived_on + timedelta(days=1), is_whole=False)
    assert ([event.arrived_at for event in later.events], later.is_whole) == (
        [ARRIVED_AT + timedelta(days=1)] * 2,
        False,
    )


def test_the_address_is_no_part_of_the_statement(athena: Athena) -> None:
    """The statement is the same for every address, and filters on the day."""
    runner = Runner(athena)
    read_history(runner, [Address(ADA)])
    assert "@" not in runner.statement
    assert "dt BETWEEN ? AND ?" in runner.statement


@pytest.mark.parametrize(
    "error",
    [AccessDenied("no"), NotFound("no"), QueryFailed("no"), ArchiveUnavailable("no")],
    ids=lambda e: type(e).__name__,
)
def test_a_log_that_cannot_be_read_says_why(error: MailfoldError) -> None:
    """It is a sentence in the answer, whether the query fails or its result."""

    def failing(_: str, __: Sequence[str]) -> QueryResult:
        raise error

    def rows() -> Iterator[tuple[str | None, ...]]:
        yield a_send().decode(), f"{OCCURRED_AT:%Y-%m-%d %H:%M:%S}.000"
        raise error

    columns = (ResultColumn(name="raw", type="varchar"),)
    for run in (failing, lambda *_: QueryResult(columns=columns, rows=rows(), scanned_bytes=0)):
        log = read_history(run, [Address(ADA)])
        assert (log.problem, log.events, log.is_whole) == ("no", (), False)
