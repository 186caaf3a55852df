"""The contract of `ports.LogFold`, for every way in which a log is folded: each has the standings of the same facts."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from pipeline.aws.archive.athena import RESULTS_PREFIX
from pipeline.aws.archive.athena_fold import AthenaFold
from pipeline.aws.archive.fold import ArchiveFold
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.archive.unloaded import fold_in_account
from pipeline.aws.clients import create_client
from pipeline.batch import group_by_key
from pipeline.memory import MemoryArchive, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import LogFold
from pipeline.row import Row, row_facts
from pipeline.standing import Key, Standing
from tests.support.athena_api import moto_s3, serve
from tests.support.builders import OCCURRED_AT, a_bounce, a_complaint, a_send
from tests.support.log_in_s3 import a_bucket
from tests.support.rows import a_row, rows_of
from tests.support.strategies import feedback

BUCKET = "mailfold-log"
HOUR = timedelta(hours=1)
LAWS = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])

MakeFold = Callable[[Sequence[Row]], LogFold]


@pytest.fixture(params=["memory", "memory, spilled", "s3", "athena", "unloaded"])
def fold_of(request: pytest.FixtureRequest) -> Iterator[MakeFold]:
    """Return a function that folds a log of these rows."""

    def in_memory(rows: Sequence[Row]) -> LogFold:
        archive = MemoryArchive()
        archive.append(rows)
        return ArchiveFold(archive, keys_held=1) if "spilled" in request.param else ArchiveFold(archive)

    if "memory" in request.param:
        yield in_memory
        return
    if request.param in {"athena", "unloaded"}:
        with athena_folds(is_unloaded=request.param == "unloaded") as by_athena:
            yield by_athena
        return
    with mock_aws():
        s3 = create_client("s3", region="us-east-1")
        s3.create_bucket(Bucket=BUCKET)

        def in_s3(rows: Sequence[Row]) -> LogFold:
            prefix = f"{s3.list_objects_v2(Bucket=BUCKET)['KeyCount']}/events/"
            archive = S3Archive(s3, bucket=BUCKET, prefix=prefix)
            archive.append(rows)
            return ArchiveFold(archive)

        yield in_s3


class UnloadedFold:
    """Folds a log by unloading its facts and joining the files into a table, whose standings it yields."""

    def __init__(self, clients: Any, bucket: str) -> None:
        self._clients, self._bucket = clients, bucket

    def standings(
        self, *, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[dict[Key, Standing]]:
        store = MemoryStore()
        fold_in_account(
            self._clients,
            bucket=self._bucket,
            database="mailfold",
            store=store,
            policy=DEFAULT_POLICY,
            since=since,
            until=until,
        )
        yield {key: item.standing for key, item in store.scan()}


@contextmanager
def athena_folds(*, is_unloaded: bool) -> Iterator[MakeFold]:
    """Yield a function that folds a log of these rows by SQL, in the local Athena."""
    with moto_s3() as s3, ExitStack() as servers:

        def by_athena(rows: Sequence[Row]) -> LogFold:
            bucket = a_bucket(s3)
            S3Archive(s3, bucket=bucket).append(rows)
            athena, _ = servers.enter_context(serve(s3, bucket))
            clients: Any = SimpleNamespace(athena=athena, s3=s3)
            if is_unloaded:
                return UnloadedFold(clients, bucket)
            location = f"s3://{bucket}/{RESULTS_PREFIX}"
            return AthenaFold(clients, database="mailfold", output_location=location, keys_per_part=1)

        yield by_athena


def standings(fold: LogFold, *, since: datetime | None = None, until: datetime | None = None) -> dict[Key, Standing]:
    """Return all standings. A key that occurs twice is an error."""
    found: dict[Key, Standing] = {}
    for part in fold.standings(since=since, until=until):
        assert found.keys().isdisjoint(part)
        found |= part
    return found


@given(payloads=st.lists(feedback, max_size=8))
@LAWS
def test_a_fold_has_each_key_once_with_all_of_its_facts(fold_of: MakeFold, payloads: list[bytes]) -> None:
    """Copies of events, in any order, of any scope, and decisions."""
    rows = rows_of(*payloads)

    assert standings(fold_of(rows)) == group_by_key([fact for row in rows for fact in row_facts(row)])


def test_all_scopes_of_an_address_are_in_one_part(fold_of: MakeFold) -> None:
    """So look-up's answer, which joins them, can be derived from one part."""
    people = ["ada@example.com", "bob@example.com", "cyd@example.com"]
    complaints = [
        a_complaint(recipients=[person], destination=[person], feedback_id=f"{person} {tenant}", tags=in_tenant(tenant))
        for person in people
        for tenant in ("acme", "zeta")
    ]
    parts = list(fold_of(rows_of(a_bounce(recipients=people), *complaints)).standings())
    assert sum(map(len, parts)) == 3 * len(people)
    addresses = [address for part in parts for address in {key.address for key in part}]
    assert sorted(addresses) == people


def in_tenant(name: str) -> dict[str, list[str]]:
    """Return the tags of a tenant's mail."""
    return {"ses:tenant-name": [name]}


def test_a_fold_of_a_log_without_facts_is_empty(fold_of: MakeFold) -> None:
    """Sends state nothing about an address."""
    assert standings(fold_of([a_row(a_send())])) == {}


def test_a_slice_has_the_hours_of_both_bounds(fold_of: MakeFold) -> None:
    """Whatever the minutes of the bounds, an hour is folded whole."""
    hours = [OCCURRED_AT.replace(minute=30) + number * HOUR for number in range(4)]
    rows = [
        a_row(
            a_bounce(recipients=[f"{number}@example.com"], feedback_id=str(number), at=hour),
            arrived_at=hour + HOUR / 100,
        )
        for number, hour in enumerate(hours)
    ]
    fold = fold_of(rows)

    middle = standings(fold, since=hours[1] + HOUR / 4, until=hours[2] - HOUR / 4)

    assert sorted(key.address for key in middle) == ["1@example.com", "2@example.com"]
    assert len(standings(fold, since=hours[3])) == len(standings(fold, until=hours[0])) == 1
