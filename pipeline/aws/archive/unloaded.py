"""The fold of a log of any size: Athena joins the facts and unloads them, and workers join each file into a table.

A line of a file has all facts of one address in one scope, so that a worker needs no other file. The files hold
addresses. They are deleted at the end, also after an error. Rows of another decoder version are left out, because SQL
cannot decode them again: `AthenaFold.other_rows` counts them.
docs.aws.amazon.com/athena/latest/ug/unload.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import datetime
from functools import partial
from gzip import GzipFile
from itertools import islice
from typing import TYPE_CHECKING, Any, cast
from uuid import uuid4

import msgspec

from pipeline.address import Address
from pipeline.aws.archive.athena import RESULTS_PREFIX, unload
from pipeline.aws.archive.athena_fold import KEYS_PER_PART, table_facts_statement
from pipeline.aws.clients import Clients
from pipeline.aws.errors import translated
from pipeline.errors import ArchiveUnavailable
from pipeline.policy import Policy
from pipeline.ports import SuppressionStore
from pipeline.projection import merge_fully
from pipeline.standing import Evidence, FactKind, Key, Standing, fold

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WORKERS = 4  # files at a time; each holds a thousand standings
TIMEOUT_SECONDS = 1_800.0  # Athena's own limit of a statement
_TEXTS = Evidence.__struct_fields__[1:]
_SELECT = f"""SELECT address, scope, array_agg(ARRAY[fact, CAST(at_ms AS varchar), {", ".join(_TEXTS)}]) AS facts
FROM table_facts GROUP BY address, scope"""  # noqa: S608 - no text of others


class LoadResult(msgspec.Struct, frozen=True, kw_only=True):
    """Counts of unloaded files that were joined into a table.

    Attributes:
        files: Files that were read.
        written: Items put.
        unchanged: Items that already had the facts.
    """

    files: int = 0
    written: int = 0
    unchanged: int = 0

    def __add__(self, other: LoadResult) -> LoadResult:
        """Return the sums."""
        return LoadResult(
            files=self.files + other.files,
            written=self.written + other.written,
            unchanged=self.unchanged + other.unchanged,
        )


class _Line(msgspec.Struct, frozen=True, gc=False):
    address: Address
    scope: str
    facts: tuple[tuple[str | None, ...], ...]


_decoder = msgspec.json.Decoder(_Line)


def fold_in_account(
    clients: Clients,
    *,
    bucket: str,
    database: str,
    workgroup: str = "primary",
    store: SuppressionStore,
    policy: Policy,
    since: datetime | None = None,
    until: datetime | None = None,
    workers: int = WORKERS,
    progress: Callable[[LoadResult], None] = lambda _: None,
) -> LoadResult:
    """Fold the log, or some hours of it, into a table. Each item is put at most once.

    Args:
        clients: boto3 clients of the deployment.
        bucket: The bucket of the log, which gets the unloaded files below `athena-results/`.
        database: The Glue database of the log.
        workgroup: Athena's workgroup.
        store: The table; safe to use from several threads.
        policy: Decides the verdicts.
        since: The first hour to fold; see `ports.LogFold`.
        until: The last hour to fold, included.
        workers: Files that are joined at a time.
        progress: Called after each file.

    Raises:
        QueryFailed: Athena rejected or stopped the query.
        Unavailable: Athena, S3 or the table is throttled or unreachable. Or another error of `STOPS_BATCH`. What was
            merged stays; start again.
        ItemRejected: The table rejects an item permanently.
    """
    prefix = f"{RESULTS_PREFIX}unload/{uuid4()}/"
    try:
        unload(
            clients.athena,
            _statement(f"s3://{bucket}/{prefix}", since, until),
            database=database,
            workgroup=workgroup,
            output_location=f"s3://{bucket}/{RESULTS_PREFIX}",
            timeout_seconds=TIMEOUT_SECONDS,
        )
        load = partial(load_file, clients.s3, bucket=bucket, store=store, policy=policy)
        return _load_files(load, _keys(clients.s3, bucket, prefix), workers, progress)
    finally:
        _delete_files(clients.s3, bucket, prefix)


def load_file(s3: S3Client, *, bucket: str, key: str, store: SuppressionStore, policy: Policy) -> LoadResult:
    """Join one unloaded file into a table. To repeat it changes nothing. Raises as `fold_in_account`."""
    result = LoadResult(files=1)
    for part in unloaded_standings(s3, bucket=bucket, key=key):
        merged = merge_fully(part, store=store, policy=policy)
        result += LoadResult(written=merged.written, unchanged=merged.unchanged)
    return result


def unloaded_standings(s3: S3Client, *, bucket: str, key: str) -> Iterator[Mapping[Key, Standing]]:
    """Yield the standings in one unloaded file, many at a time.

    Raises:
        ArchiveUnavailable: S3 is throttled or unreachable. Or AccessDenied or NotFound.
    """
    with translated(f"reading an unloaded file of bucket {bucket}", unavailable=ArchiveUnavailable):
        body = cast("Any", s3.get_object(Bucket=bucket, Key=key)["Body"])
    with closing(body), GzipFile(fileobj=body) as lines:
        while part := dict(_standing(line) for line in _read(lines, bucket)):
            yield part


def _read(lines: GzipFile, bucket: str) -> list[bytes]:
    with translated(f"reading an unloaded file of bucket {bucket}", unavailable=ArchiveUnavailable):
        return list(islice(lines, KEYS_PER_PART))


def _statement(location: str, since: datetime | None, until: datetime | None) -> str:
    return (
        f"UNLOAD ({table_facts_statement(_SELECT, since=since, until=until)})\n"
        f"TO '{location}' WITH (format = 'JSON', compression = 'GZIP')"
    )


def _standing(data: bytes) -> tuple[Key, Standing]:
    line = _decoder.decode(data)
    return Key(line.address, line.scope), fold(map(_fact, line.facts))


def _fact(values: tuple[str | None, ...]) -> tuple[FactKind, Evidence]:
    kind, at_ms, *texts = (value or "" for value in values)
    return FactKind(kind), Evidence(int(at_ms), *texts)


def _load_files(
    load: Callable[..., LoadResult], keys: Sequence[str], workers: int, progress: Callable[[LoadResult], None]
) -> LoadResult:
    """Join all files. The first error ends it, once the files that are being read are done."""
    total = LoadResult()
    with ThreadPoolExecutor(workers, thread_name_prefix="unloaded") as pool:
        loads = [pool.submit(load, key=key) for key in keys]
        try:
            for result in (future.result() for future in loads):
                total += result
                progress(total)
        except BaseException:  # an interrupt too
            pool.shutdown(cancel_futures=True)
            raise
    return total


def _keys(s3: S3Client, bucket: str, prefix: str) -> list[str]:
    with translated(f"listing unloaded files of bucket {bucket}", unavailable=ArchiveUnavailable):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
        return [entry["Key"] for page in pages for entry in page.get("Contents", [])]


def _delete_files(s3: S3Client, bucket: str, prefix: str) -> None:
    for key in _keys(s3, bucket, prefix):
        with translated(f"deleting an unloaded file of bucket {bucket}", unavailable=ArchiveUnavailable):
            s3.delete_object(Bucket=bucket, Key=key)
