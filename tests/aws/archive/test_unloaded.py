"""The fold by Athena's UNLOAD and workers over its files, with the local Athena in its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from pipeline.aws.archive.athena import RESULTS_PREFIX
from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.archive.unloaded import LoadResult, fold_in_account
from pipeline.errors import MailfoldError, StoreUnavailable
from pipeline.memory import MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.ports import Put
from pipeline.replay import replay, store_digest
from pipeline.standing import Key
from tests.support.athena_api import moto_s3, serve
from tests.support.builders import OCCURRED_AT, a_bounce, a_complaint
from tests.support.log_in_s3 import a_bucket
from tests.support.rows import rows_of

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

ADDRESSES = 20
PAYLOADS = [
    a_bounce(recipients=[f"{number % ADDRESSES}@example.com"], feedback_id=str(number), at=OCCURRED_AT)
    for number in range(3 * ADDRESSES)
]


class CountingStore(MemoryStore):
    """A table that counts its puts."""

    def __init__(self) -> None:
        super().__init__()
        self.puts = 0

    def save(self, puts: Sequence[Put]) -> Mapping[Key, MailfoldError]:
        self.puts += len(puts)
        return super().save(puts)


class FailingStore(MemoryStore):
    """A table that is throttled."""

    def save(self, puts: Sequence[Put]) -> Mapping[Key, MailfoldError]:
        return {put.key: StoreUnavailable("throttled") for put in puts}


@pytest.fixture(scope="module")
def s3() -> Iterator[S3Client]:
    with moto_s3() as s3:
        yield s3


@pytest.fixture(scope="module")
def bucket(s3: S3Client) -> str:
    """A log in which each address has several bounces, each stored twice."""
    bucket = a_bucket(s3)
    S3Archive(s3, bucket=bucket).append([*rows_of(*PAYLOADS), *rows_of(*PAYLOADS, a_complaint())])
    return bucket


@pytest.fixture(scope="module")
def clients(s3: S3Client, bucket: str) -> Iterator[Any]:
    with serve(s3, bucket) as (athena, _):
        yield SimpleNamespace(athena=athena, s3=s3)


def load(clients: Any, bucket: str, store: MemoryStore, **options: Any) -> LoadResult:
    return fold_in_account(clients, bucket=bucket, database="mailfold", store=store, policy=DEFAULT_POLICY, **options)


def unloaded_keys(s3: S3Client, bucket: str) -> list[str]:
    found = s3.list_objects_v2(Bucket=bucket, Prefix=f"{RESULTS_PREFIX}unload/").get("Contents", [])
    return [entry["Key"] for entry in found]


def test_the_table_equals_a_replay_with_one_write_an_address(clients: Any, s3: S3Client, bucket: str) -> None:
    """The digest is that of the one-machine road, and the progress follows each file."""
    replayed, store, progress = MemoryStore(), CountingStore(), list[LoadResult]()
    replay(S3Archive(s3, bucket=bucket), store=replayed, policy=DEFAULT_POLICY)

    result = load(clients, bucket, store, progress=progress.append)

    assert store_digest(store) == store_digest(replayed)
    assert store.puts == result.written == len(list(replayed.scan()))
    assert len(progress) == result.files > 1
    assert progress[-1] == result


def test_a_repeated_load_writes_nothing(clients: Any, bucket: str) -> None:
    """Every item is unchanged."""
    store = MemoryStore()
    first = load(clients, bucket, store)
    assert load(clients, bucket, store) == LoadResult(files=first.files, unchanged=first.written)


def test_no_file_with_addresses_remains(clients: Any, s3: S3Client, bucket: str) -> None:
    """Neither after a load, nor after one that the table stopped."""
    load(clients, bucket, MemoryStore())
    with pytest.raises(StoreUnavailable, match="throttled"):
        load(clients, bucket, FailingStore())
    assert unloaded_keys(s3, bucket) == []
