"""A person is erased from log and table alike, whatever is interrupted, and a rebuild agrees."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from moto import mock_aws

from pipeline.address import Address
from pipeline.aws.archive.erase import LogEraser, RewriteDisagrees
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.clients import create_client
from pipeline.batch import group_by_key
from pipeline.erase import ErasedItems, TableEraser
from pipeline.erasure import Erasure
from pipeline.lookup import LookupStatus, lookup
from pipeline.memory import MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.projection import merge_fully
from pipeline.pseudonym import KEY_BYTES
from pipeline.replay import replay, store_digest
from pipeline.row import Row, row_facts
from pipeline.standing import Key
from tests.support.builders import ADA, BOB, OCCURRED_AT, a_bounce, a_complaint, a_decision, a_send
from tests.support.items import MakeStore, all_items
from tests.support.rows import rows_of
from tests.support.strategies import feedback

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

BUCKET = "mailfold-log"
POLICY = DEFAULT_POLICY
ERASURE = Erasure(address=Address(ADA), key=bytes(range(KEY_BYTES)))
HISTORY = (
    *(a_send(), a_bounce(), a_complaint(), a_bounce(recipients=[BOB], feedback_id="of-bob")),
    a_bounce(recipients=[ADA, BOB], feedback_id="of-both"),
    # A forwarded mail: the remote server names someone else, and in its words the person.
    a_bounce(recipients=[BOB], feedback_id="3", destination=[ADA], person={"diagnosticCode": f"smtp; <{ADA}> moved"}),
    a_decision(action="suppress", address=ADA, decision_id="1" * 32),
)


@pytest.fixture(params=["Enabled", "never enabled"])
def s3(request: pytest.FixtureRequest) -> Iterator[S3Client]:
    """Yield moto's S3 with an empty bucket, with versions or without."""
    with mock_aws():
        s3 = create_client("s3", region="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        if request.param == "Enabled":
            s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        yield s3


def a_log(s3: S3Client, *payloads: bytes) -> S3Archive:
    """Return a log with one object for each payload."""
    archive = S3Archive(s3, bucket=BUCKET)
    for payload in payloads:
        archive.append(rows_of(payload))
    return archive


def a_table(archive: S3Archive, store: Any) -> Any:
    replay(archive, store=store, policy=DEFAULT_POLICY)
    return store


def eraser(s3: S3Client, **options: Any) -> LogEraser:
    return LogEraser(s3, bucket=BUCKET, erasure=ERASURE, **options)


def erase(s3: S3Client, store: Any) -> ErasedItems:
    """Erase the person from log and table."""
    from_log = eraser(s3)
    from_log.erase()
    return TableEraser(ERASURE, store=store, policy=DEFAULT_POLICY, log=from_log.log).erase()


def all_text(s3: S3Client, archive: S3Archive) -> str:
    """Return all rows of all versions of all objects, as text."""
    rows = [repr(row) for batch in archive.rows() for row in batch]
    versions = s3.list_object_versions(Bucket=BUCKET).get("Versions", [])
    assert all(version["IsLatest"] for version in versions)
    return "".join(rows)


def test_after_an_erasure_log_and_table_name_no_one_and_agree(s3: S3Client, make_store: MakeStore) -> None:
    """A rebuild has the digest of the table, and the person is suppressed under the hash."""
    archive = a_log(s3, *HISTORY)
    store = a_table(archive, make_store())

    erased = erase(s3, store)

    assert ADA not in all_text(s3, archive)
    assert ADA not in repr(all_items(store))
    assert erased == ErasedItems(moved=1, changed=1)
    assert store_digest(store) == store_digest(a_table(archive, MemoryStore()))
    [answer] = lookup([ERASURE.pseudonym], store=store, now=OCCURRED_AT)
    assert answer.status is LookupStatus.SUPPRESSED


@given(payloads=st.lists(feedback, max_size=6))
@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_history_is_erased_alike_from_log_and_table(s3: S3Client, payloads: list[bytes]) -> None:
    """Copies that differ, others' events, decisions, scopes. A replay heals what the order of new ids changes."""
    for entry in s3.list_object_versions(Bucket=BUCKET).get("Versions", []):
        s3.delete_object(Bucket=BUCKET, Key=entry["Key"], VersionId=entry["VersionId"])
    archive = a_log(s3, *payloads)
    store = a_table(archive, MemoryStore())

    erase(s3, store)
    a_table(archive, store)

    assert store_digest(store) == store_digest(a_table(archive, MemoryStore()))
    assert Address(ADA) not in {key.address for key in all_items(store)}


def test_erasing_again_changes_nothing(s3: S3Client) -> None:
    """Neither objects nor items."""
    archive = a_log(s3, *HISTORY)
    store = a_table(archive, MemoryStore())
    erase(s3, store)
    objects, digest = s3.list_object_versions(Bucket=BUCKET)["Versions"], store_digest(store)

    assert erase(s3, store) == ErasedItems()
    assert s3.list_object_versions(Bucket=BUCKET)["Versions"] == objects
    assert store_digest(store) == digest


class KilledError(Exception):
    """The process was killed."""


@pytest.mark.parametrize("calls", range(0, 24, 2))
def test_an_erasure_that_was_killed_is_repeated(s3: S3Client, calls: int) -> None:
    """Whatever it had done: rewritten some objects, not yet deleted their old versions, or not touched the table."""
    archive = a_log(s3, *HISTORY)
    store = a_table(archive, MemoryStore())

    with pytest.raises(KilledError):
        killed_after(calls, s3, lambda: erase(s3, store))
    erase(s3, store)

    assert ADA not in all_text(s3, archive)
    assert store_digest(store) == store_digest(a_table(archive, MemoryStore()))


def killed_after(calls: int, s3: S3Client, work: Callable[[], object]) -> None:
    """Run, but raise after so many calls of S3."""
    left = calls

    def count(**_: Any) -> None:
        nonlocal left
        left -= 1
        if left < 0:
            raise KilledError

    s3.meta.events.register("before-call.s3", count)
    try:
        work()
        raise KilledError  # between log and table, or after both
    finally:
        s3.meta.events.unregister("before-call.s3", count)


def test_a_dry_run_counts_and_changes_nothing(s3: S3Client) -> None:
    """To be shown before the person is erased."""
    archive = a_log(s3, *HISTORY)
    before = s3.list_object_versions(Bucket=BUCKET)["Versions"]

    dry = eraser(s3, is_dry=True)
    dry.erase()

    assert (dry.counts.rows, dry.counts.rewritten, dry.counts.objects) == (6, 6, 7)
    assert s3.list_object_versions(Bucket=BUCKET)["Versions"] == before
    assert ADA in repr([row for batch in archive.rows() for row in batch])


def test_an_object_that_is_not_the_logs_is_named(s3: S3Client) -> None:
    """What is in it was not erased."""
    a_log(s3, *HISTORY)
    s3.put_object(Bucket=BUCKET, Key="events/dt=2026-03-01/hr=12/damaged.parquet", Body=b"no Parquet")
    s3.put_object(Bucket=BUCKET, Key="events/notes.txt", Body=ADA.encode())

    found = eraser(s3)
    found.erase()

    assert [skipped.uri.rpartition("/")[2] for skipped in found.counts.skipped] == ["damaged.parquet", "notes.txt"]


def test_rows_that_are_not_stored_as_they_should_be_stop_the_erasure(
    s3: S3Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The object is as it was."""
    archive = a_log(s3, a_bounce())
    encode_rows = "pipeline.aws.archive.erase.parquet.encode_rows"
    other = S3Archive(s3, bucket=BUCKET, prefix="other/")
    other.append(rows_of(a_send()))
    data = s3.get_object(Bucket=BUCKET, Key=s3.list_objects_v2(Bucket=BUCKET, Prefix="other/")["Contents"][0]["Key"])
    monkeypatch.setattr(encode_rows, lambda _: data["Body"].read())

    with pytest.raises(RewriteDisagrees):
        eraser(s3).erase()
    assert ADA in repr([row for batch in archive.rows() for row in batch])


def test_a_new_bounce_of_an_erased_person_is_erased_by_the_next_run(s3: S3Client) -> None:
    """It joins what lies under the hash."""
    archive = a_log(s3, a_bounce())
    store = a_table(archive, MemoryStore())
    erase(s3, store)
    late: list[Row] = rows_of(a_complaint(feedback_id="late"))
    archive.append(late)
    merge_fully(group_by_key([fact for row in late for fact in row_facts(row)]), store=store, policy=DEFAULT_POLICY)

    erase(s3, store)

    [(key, item)] = all_items(store).items()
    assert key == Key(ERASURE.pseudonym)
    assert item.standing.hard
    assert item.standing.complaint
    assert store_digest(store) == store_digest(a_table(archive, MemoryStore()))
