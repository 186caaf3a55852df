"""A tenant's complaint lies in the tenant's scope, whatever carries it, and keeps its scope in log and table."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.address import Address
from pipeline.ingest import Ingestion
from pipeline.memory import MemoryArchive, MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.replay import replay, store_digest
from pipeline.standing import EVERY_SCOPE, FactKind, Key, kept_facts
from tests.support.builders import (
    ADA,
    OCCURRED_AT,
    a_bounce,
    a_complaint,
    a_decision,
    a_record,
    as_notification,
    in_eventbridge,
    in_kinesis,
    in_sns,
)
from tests.support.log_in_s3 import athena_over
from tests.support.rows import a_row
from tests.support.scenario import a_batch, project
from tests.support.strategies import ENVELOPES

ACME = {"ses:tenant-name": ["acme"]}
EVERYWHERE, TENANT = Key(Address(ADA)), Key(Address(ADA), "acme")
COMPLAINT = a_complaint(tags=ACME)
CARRIERS = {"bare": COMPLAINT} | {name: wrap(COMPLAINT) for name, wrap in ENVELOPES.items()}
CARRIERS["sns_to_kinesis"] = in_kinesis(in_sns(COMPLAINT))
CARRIERS["eventbridge_to_kinesis"] = in_kinesis(in_eventbridge(COMPLAINT, detail_type="Email Complaint Received"))


def facts_by_key(store: MemoryStore) -> dict[Key, list[FactKind]]:
    return {key: [kind for kind, _ in kept_facts(item.standing)] for key, item in store.scan()}


def a_table(*payloads: bytes) -> MemoryStore:
    """Return a table that has received payloads, none of which was poison."""
    store, quarantine = MemoryStore(), MemoryQuarantine()
    assert project(a_batch(*payloads), store=store, quarantine=quarantine).cause is None
    assert quarantine.held == []
    return store


@pytest.mark.parametrize("payload", CARRIERS.values(), ids=CARRIERS)
def test_every_carrier_gives_the_tenants_scope(payload: bytes) -> None:
    """The same item as the bare record gives."""
    assert facts_by_key(a_table(payload)) == {TENANT: [FactKind.COMPLAINT]}
    assert store_digest(a_table(payload)) == store_digest(a_table(COMPLAINT))


@pytest.mark.parametrize(("name", "expected"), [("a", "a"), ("", None), ("a" * 64, "a" * 64), ("a" * 65, None)])
def test_a_tenant_has_the_name_of_a_scope(name: str, expected: str | None) -> None:
    """A tag whose value is no scope names no tenant, and the complaint lies in every scope."""
    complaint = a_complaint(tags={"ses:tenant-name": [name]})

    assert a_row(complaint).tenant == expected
    assert facts_by_key(a_table(complaint)) == {Key(Address(ADA), expected or EVERY_SCOPE): [FactKind.COMPLAINT]}


def test_an_identity_notification_lies_in_every_scope() -> None:
    """It carries no tags. Its copy of a complaint is the same event, known more widely."""
    notification = in_sns(as_notification(a_complaint()))
    store = a_table(COMPLAINT, notification)
    assert facts_by_key(store) == {TENANT: [FactKind.COMPLAINT], EVERYWHERE: [FactKind.COMPLAINT]}
    items = dict(store.scan())
    assert items[TENANT].standing == items[EVERYWHERE].standing


@pytest.mark.parametrize(
    ("payload", "key"),
    [
        (a_bounce(tags=ACME), EVERYWHERE),
        (a_bounce(tags=ACME, sub_type="Suppressed"), EVERYWHERE),
        (a_bounce(tags=ACME, sub_type="UnsubscribedRecipient"), TENANT),
        (a_complaint(tags=ACME, feedback_type="not-spam"), TENANT),
        (a_decision(), EVERYWHERE),
        (a_decision(scope="acme"), TENANT),
        (a_complaint(tags={"ses:tenant-name": []}), EVERYWHERE),
        (a_complaint(tags={"ses:tenant-name": [""]}), EVERYWHERE),
        (a_complaint(tags={"ses:tenant-name": ["x" * 64]}), Key(EVERYWHERE.address, "x" * 64)),
        (a_complaint(tags={"ses:tenant-name": ["x" * 65]}), EVERYWHERE),
    ],
)
def test_only_what_is_about_a_tenants_mail_lies_in_its_scope(payload: bytes, key: Key) -> None:
    """A mailbox that does not exist is no tenant's affair. A name that is no scope widens."""
    assert list(facts_by_key(a_table(payload))) == [key]


_tagged = st.sampled_from([None, ACME, {"ses:tenant-name": ["best"]}])
_feedback = st.builds(
    lambda tags, event: event(tags),
    _tagged,
    st.sampled_from(
        [
            lambda tags: a_complaint(tags=tags),
            lambda tags: a_complaint(tags=tags, feedback_id="f2", at=OCCURRED_AT + timedelta(seconds=1)),
            lambda tags: a_complaint(tags=tags, feedback_id="f3", feedback_type="not-spam"),
            lambda tags: a_bounce(tags=tags),
            lambda tags: a_decision(action="release", scope="best" if tags else None, decision_id="d1"),
            lambda tags: a_record("Send", {"send": {}}, tags=tags),
        ]
    ),
)


@given(st.lists(_feedback, max_size=8))
def test_a_replay_of_the_log_keeps_every_scope(payloads: list[bytes]) -> None:
    """The table that the log rebuilds has the keys, facts and digest of the live one."""
    archive, live, rebuilt = MemoryArchive(), MemoryStore(), MemoryStore()
    ingestion = Ingestion(
        archive=archive,
        store=live,
        quarantine=MemoryQuarantine(),
        policy=DEFAULT_POLICY,
        arrived_at=OCCURRED_AT + timedelta(days=1),
    )
    ingestion.ingest(a_batch(*payloads), progress=lambda _: None)
    replay(archive, store=rebuilt, policy=DEFAULT_POLICY)
    assert facts_by_key(rebuilt) == facts_by_key(live)
    assert store_digest(rebuilt) == store_digest(live)


def test_the_scope_is_part_of_the_digest() -> None:
    """The same complaint in another scope is another state."""
    assert store_digest(a_table(COMPLAINT)) != store_digest(a_table(a_complaint()))


def test_sql_over_the_log_has_the_scope() -> None:
    """The view of facts has a row for each scope."""
    with athena_over(COMPLAINT, as_notification(a_complaint()), a_bounce(tags=ACME)) as athena:
        result = athena.run("SELECT scope, fact FROM suppression_facts ORDER BY 1, 2")
    assert [tuple(row) for row in result.rows] == [
        (EVERY_SCOPE, "complaint"),
        (EVERY_SCOPE, "hard"),
        ("acme", "complaint"),
    ]
