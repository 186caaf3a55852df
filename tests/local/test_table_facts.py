"""SQL restates the join of facts: over any log, it keeps what the table keeps, and its digest is the table's."""

from collections.abc import Iterable
from random import Random
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.adoption import make_evidence
from pipeline.aws.archive import parquet
from pipeline.aws.archive.sql_files import sql_files
from pipeline.batch import group_by_key
from pipeline.digest import digest
from pipeline.fact import Fact
from pipeline.local.athena import Athena
from pipeline.row import FactColumn, Row, row_facts
from pipeline.standing import EVERY_SCOPE, Evidence, FactKind, kept_facts
from tests.core.test_histories import a_history
from tests.support.builders import ADA, BOB, SENT_AT, a_bounce, a_soft_bounce
from tests.support.log_in_s3 import ARRIVED_AT, a_bucket, athena_over, mock_s3
from tests.support.rows import a_row, rows_of

[DIGEST] = [file.sql for file in sql_files("queries") if file.name == "table_digest"]
COLUMNS = ("address", "scope", "fact", *Evidence.__struct_fields__)

FULL = [
    *(a_soft_bounce(feedback_id=f"s{n}", messageId=f"s{n}", at=SENT_AT.replace(minute=n % 60)) for n in range(70)),
    *(a_bounce(feedback_id=f"h{n}", at=SENT_AT.replace(minute=n)) for n in range(12)),
    *(a_bounce(feedback_id="h3", at=SENT_AT.replace(minute=3), person={"diagnosticCode": text}) for text in ("é", "z")),
    a_bounce(recipients=[BOB], destination=[ADA], person={"diagnosticCode": '"quoted", 10:12'}),
]

# Texts that sort otherwise by UTF-16, by case, by locale or by number.
_texts = st.sampled_from(["", "a", "B", "é", "\uffff", "\U00010000", "1:1", " 1"])
_fields: dict[str, st.SearchStrategy[Any]] = {
    "address": st.sampled_from([ADA, BOB]),
    "scope": st.sampled_from([EVERY_SCOPE, "tenant", "Tenant"]),
    "fact": st.sampled_from([kind.value for kind in FactKind]),
    "at_ms": st.sampled_from([-1, 0, 9, 10, 2**53 + 1]),
    **dict.fromkeys(Evidence.__struct_fields__[1:], _texts),
}


@st.composite
def _copies(draw: st.DrawFn) -> list[FactColumn]:
    """Draw a fact, and for each field a copy that differs in it alone."""
    column = FactColumn(**{name: draw(values) for name, values in _fields.items()})
    return [column, *(msgspec.structs.replace(column, **{name: draw(values)}) for name, values in _fields.items())]


@st.composite
def _many(draw: st.DrawFn) -> list[FactColumn]:
    """Draw facts of one kind about one address in two scopes: more events than are kept, of one mail or of many."""
    kind = draw(_fields["fact"])
    mails = draw(st.sampled_from([1, 66, 200]))
    times = draw(st.lists(st.integers(0, 300), min_size=70, max_size=160, unique=True))
    return [
        FactColumn(
            address=Address(ADA),
            scope=scope,
            fact=kind,
            at_ms=time,
            event_id=f"e{time % 97}",
            message_id=f"m{time % mails}",
        )
        for place, time in enumerate(times)
        for scope in ((EVERY_SCOPE, "tenant") if place % 3 else ("tenant",))
    ]


def facts_of(rows: Iterable[Row]) -> list[Fact]:
    """Return the facts of rows."""
    return [fact for row in rows for fact in row_facts(row)]


def assert_agree(athena: Athena, rows: Iterable[Row]) -> None:
    """Assert that SQL keeps the same facts as Python, and computes the same digest."""
    standings = group_by_key(facts_of(rows))
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
        assert_agree(athena, rows_of(*payloads))


@pytest.mark.parametrize("histories", [300, pytest.param(8_000, marks=pytest.mark.long)])
def test_sql_and_python_agree_on_random_histories(histories: int) -> None:
    """All histories are in one log; each is about people of its own."""
    payloads = [
        payload.replace(b"@example", b"@%d.example" % seed)
        for seed in range(histories)
        for payload in a_history(Random(seed))  # noqa: S311 - a test's seed
    ]
    with athena_over(*payloads) as athena:
        assert_agree(athena, rows_of(*payloads))


@pytest.mark.slow
@settings(max_examples=20, deadline=None)
@given(copies=st.lists(_copies(), min_size=1, max_size=30), many=st.lists(_many(), max_size=4))
def test_sql_and_python_agree_on_any_facts(copies: list[list[FactColumn]], many: list[list[FactColumn]]) -> None:
    """Times and ids repeat, copies differ in any field, and each bound is reached in any scope."""
    assert_agree_on_facts([*copies, *copies[::-1], *many])


def test_sql_and_python_agree_on_the_bound_of_each_kind() -> None:
    """More facts of each kind than are kept, each of a mail of its own."""
    columns = [
        [FactColumn(address=Address(ADA), scope="*", fact=kind, at_ms=n // 12, event_id=f"e{n}", message_id=f"m{n}")]
        for kind in FactKind
        for n in range(70)
    ]
    assert_agree_on_facts(columns)


def test_evidence_is_the_same_fact_in_sql() -> None:
    """A log that lost all events and adopted the table's facts has the digest of the table."""
    facts = facts_of(rows_of(*FULL))
    standings = group_by_key(facts)
    kept = [(key, *fact) for key, standing in standings.items() for fact in kept_facts(standing)]
    adopted = [make_evidence(key, kind, evidence) for key, kind, evidence in kept]
    with athena_over(*adopted, *adopted) as athena:
        assert_agree(athena, rows_of(*adopted))
        assert athena.run(DIGEST).rows == [(digest(standings.items()),)]


def assert_agree_on_facts(columns: list[list[FactColumn]]) -> None:
    """Assert that SQL and Python agree on rows with these facts."""
    rows = [a_row(facts=tuple(facts)) for facts in columns]
    with mock_s3() as s3:
        bucket = a_bucket(s3)
        key = f"events/dt={ARRIVED_AT:%Y-%m-%d}/hr={ARRIVED_AT:%H}/part-0.parquet"
        s3.put_object(Bucket=bucket, Key=key, Body=parquet.encode_rows(rows))
        with Athena(s3, bucket=bucket) as athena:
            assert_agree(athena, rows)


def test_a_log_without_facts_has_no_digest() -> None:
    """The table has no item then."""
    with athena_over() as athena:
        assert_agree(athena, [])
