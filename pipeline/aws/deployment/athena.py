"""Athena's views and saved queries, created through its API from schemas/views and schemas/queries.

Each replaces the one of the same name. Others are left alone, so this is safe to repeat.
docs.aws.amazon.com/athena/latest/APIReference/API_CreateNamedQuery.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.archive.athena import query
from pipeline.aws.archive.sql_files import SqlFile, sql_files
from pipeline.aws.errors import translated
from pipeline.errors import QueryFailed

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import NamedQueryTypeDef

NAMES_PER_GET = 50  # limit of BatchGetNamedQuery


class AthenaCatalog(msgspec.Struct, frozen=True, kw_only=True):
    """Where Athena keeps views and saved queries.

    Attributes:
        database: Database of the log.
        workgroup: Workgroup of the queries. It keeps query results itself.
    """

    database: str
    workgroup: str


class ViewResult(msgspec.Struct, frozen=True, kw_only=True):
    """The result of creating a view.

    Attributes:
        name: Its name.
        failure: Athena's reason for rejecting it; None if it exists now.
    """

    name: str
    failure: str | None = None


def create_views(athena: AthenaClient, catalog: AthenaCatalog) -> list[ViewResult]:
    """Create or replace the views, one after the other. One that Athena rejects keeps no other from being created.

    Raises:
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ArchiveUnavailable: Athena throttles, cannot be reached, or takes too long.
    """
    return [_create_view(athena, catalog, view) for view in sql_files("views")]


def require_views(results: Sequence[ViewResult]) -> None:
    """Check that all views exist.

    Raises:
        QueryFailed: Athena rejected one or more; the message names each, with Athena's reason.
    """
    failures = [f"{result.name}: {result.failure}" for result in results if result.failure]
    if failures:
        raise QueryFailed(f"Athena rejected {len(failures)} of {len(results)} views: {'; '.join(failures)}")


def _create_view(athena: AthenaClient, catalog: AthenaCatalog, view: SqlFile) -> ViewResult:
    try:
        query(athena, view.sql, database=catalog.database, workgroup=catalog.workgroup)
    except QueryFailed as error:
        return ViewResult(name=view.name, failure=str(error))
    return ViewResult(name=view.name)


def create_queries(athena: AthenaClient, catalog: AthenaCatalog) -> list[str]:
    """Create or update the saved queries, and return their names.

    Raises:
        InvalidInput: AWS rejects one.
        AccessDenied: Credentials are missing, expired or not allowed to do this.
        ServiceUnavailable: AWS throttles, fails or cannot be reached.
    """
    with translated("listing saved queries"):
        saved = {query["Name"]: query for query in _saved_queries(athena, catalog)}
    files = sql_files("queries")
    for file in files:
        with translated(f"saving the query {file.name}"):
            _save_query(athena, catalog, file, saved.get(file.name))
    return [file.name for file in files]


def _saved_queries(athena: AthenaClient, catalog: AthenaCatalog) -> Iterator[NamedQueryTypeDef]:
    pages = athena.get_paginator("list_named_queries").paginate(
        WorkGroup=catalog.workgroup, PaginationConfig={"PageSize": NAMES_PER_GET}
    )
    for page in pages:
        if ids := page["NamedQueryIds"]:
            queries = athena.batch_get_named_query(NamedQueryIds=ids)["NamedQueries"]
            yield from (query for query in queries if query["Database"] == catalog.database)


def _save_query(athena: AthenaClient, catalog: AthenaCatalog, file: SqlFile, saved: NamedQueryTypeDef | None) -> None:
    if saved is None:
        athena.create_named_query(
            Name=file.name,
            Description=file.description,
            QueryString=file.sql,
            Database=catalog.database,
            WorkGroup=catalog.workgroup,
        )
    elif (saved["QueryString"], saved.get("Description")) != (file.sql, file.description):
        athena.update_named_query(
            NamedQueryId=saved["NamedQueryId"], Name=file.name, Description=file.description, QueryString=file.sql
        )
