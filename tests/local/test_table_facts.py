"""SQL restates the join of facts: over any log, it keeps what the table keeps, and its digest is the table's."""

from collections.abc import Iterable, Sequence
from random import Random

import pytest

from pipeline.aws.deployment.athena import sql_files
from pipeline.batch import group_by_key
from pipeline.digest import digest
from pipeline.fact import Fact
from pipeline.local.athena import Athena
from pipeline.row import Row, row_facts
from pipeline.standing import Evidence, kept_facts
from tests.core.test_histories import a_history
from tests.support.builders import ADA, BOB, SENT_AT, a_bounce, a_soft_bounce
from tests.support.log_in_s3 import athena_over
from tests.support.rows import rows_of

[DIGEST] = [file.sql for file in sql_files("queries") if file.name == "table_digest"]
COLUMNS = ("address", "scope", "fact", *Evidence.__struct_fields__)

FULL = [
    *(a_soft_bounce(feedback_id=f"s{n}", messageId=f"s{n}", at=SENT_AT.replace(minute=n % 60)) for n in range(70)),
    *(a_bounce(feedback_id=f"h{n}", at=SENT_AT.replace(minute=n)) for n in range(12)),
    *(a_bounce(feedback_id="h3", at=SENT_AT.replace(minute=3), person={"diagnosticCode": text}) for text in ("é", "z")),
    a_bounce(recipients=[BOB], destination=[ADA], person={"diagnosticCode": '"quoted", 10:12'}),
]


def facts_of(rows: Iterable[Row]) -> list[Fact]:
    """Return the facts of rows."""
    return [fact for row in rows for fact in row_facts(row)]


def assert_agree(athena: Athena, payloads: Sequence[bytes]) -> None:
    """Assert that SQL keeps the same facts as Python, and computes the same digest."""
    standings = group_by_key(facts_of(rows_of(*payloads)))
    expected = sorted(
        (key.address, key.scope, kind.value, *(str(getattr(evidence, name)) for name in COLUMNS[3:]))
        for key, standing in standings.items()
        for kind, evidence in kept_facts(standing)
    )
    kept = athena.run(f"SELECT {', '.join(COLUMNS)} FROM table_facts").rows  # noqa: S608 - the columns above
    assert sorted(tuple(value or "" for value in row) for row in kept) == expected
    assert athena.run(DIGEST).rows == ([(digest(standings.items()),)] if expected else [(None,)])


@pytest.mark.parametrize("payloads", [FULL, FULL[::-1], FULL * 2], ids=["once", "reversed", "twice"])
def test_sql_keeps_what_the_table_keeps(payloads: list[bytes]) -> None:
    """Every bound is reached, copies differ, and texts have the separators of the digest."""
    with athena_over(*payloads) as athena:
        assert_agree(athena, payloads)


@pytest.mark.parametrize("histories", [300, pytest.param(8_000, marks=pytest.mark.long)])
def test_sql_and_python_agree_on_random_histories(histories: int) -> None:
    """All histories are in one log; each is about people of its own."""
    payloads = [
        payload.replace(b"@example", b"@%d.example" % seed)
        for seed in range(histories)
        for payload in a_history(Random(seed))  # noqa: S311 - a test's seed
    ]
    with athena_over(*payloads) as athena:
        assert_agree(athena, payloads)


def test_a_log_without_facts_has_no_digest() -> None:
    """The table has no item then."""
    with athena_over() as athena:
        assert_agree(athena, [])
