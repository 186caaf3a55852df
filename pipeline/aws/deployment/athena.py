"""What Athena shows beside the log: views, and queries worth having, made through its own API.

Each is replaced by the one of the same name, and what others made is left alone, so this can be done again and again.
docs.aws.amazon.com/athena/latest/APIReference/API_CreateNamedQuery.html

SQL that a deployment brings with it, one file for each statement: schemas/views and schemas/queries.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.archive.athena import query
from pipeline.aws.archive.schema import schemas_folder
from pipeline.aws.errors import translated

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import NamedQueryTypeDef

COMMENT = "--"


class SqlFile(msgspec.Struct, frozen=True, kw_only=True):
    """A statement.

    Attributes:
        name: What it is called: its file's name.
        description: What it is for, in a line.
        sql: Athena's SQL, without the comments before it.
    """

    name: str
    description: str
    sql: str


def sql_files(kind: str) -> list[SqlFile]:
    """Return the statements of a kind, `views` or `queries`, by name."""
    files = sorted(schemas_folder().joinpath(kind).glob("*.sql"))
    return [_statement(file.stem, file.read_text(encoding="utf-8")) for file in files]


def _statement(name: str, text: str) -> SqlFile:
    lines = text.splitlines()
    comments = list(_leading_comments(lines))
    # Some statements Athena hands to another parser than Trino's, and that one takes no comment before them.
    return SqlFile(name=name, description=comments[0], sql="\n".join(lines[len(comments) :]).strip())


def _leading_comments(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith(COMMENT):
            return
        yield line.removeprefix(COMMENT).strip()


NAMES_PER_GET = 50  # the limit of BatchGetNamedQuery


class AthenaCatalog(msgspec.Struct, frozen=True, kw_only=True):
    """Where Athena keeps them.

    Attributes:
        database: The log's.
        workgroup: Whose queries they are; it keeps answers itself.
    """

    database: str
    workgroup: str


def create_views(athena: AthenaClient, catalogue: AthenaCatalog) -> Iterator[str]:
    """Make the views, one after the other, and give the name of each when it is there.

    Raises:
        UsageError: Athena refuses one.
        ArchiveUnavailable: Athena is throttled, unreachable or too slow.
    """
    for view in sql_files("views"):
        query(athena, view.sql, database=catalogue.database, workgroup=catalogue.workgroup)
        yield view.name


def create_queries(athena: AthenaClient, catalogue: AthenaCatalog) -> Iterator[str]:
    """Save the queries, and give the name of each when it is there.

    Raises:
        UsageError: AWS denies or refuses it.
        ServiceUnavailable: AWS throttles or cannot be reached.
    """
    with translated("listing saved queries"):
        saved = {one["Name"]: one for one in _saved(athena, catalogue) if one["Database"] == catalogue.database}
    for wanted in sql_files("queries"):
        with translated(f"saving the query {wanted.name}"):
            _save(athena, catalogue, wanted, saved.get(wanted.name))
        yield wanted.name


def _save(athena: AthenaClient, catalogue: AthenaCatalog, wanted: SqlFile, saved: NamedQueryTypeDef | None) -> None:
    if saved is None:
        athena.create_named_query(
            Name=wanted.name,
            Description=wanted.description,
            QueryString=wanted.sql,
            Database=catalogue.database,
            WorkGroup=catalogue.workgroup,
        )
    elif (saved["QueryString"], saved.get("Description")) != (wanted.sql, wanted.description):
        athena.update_named_query(
            NamedQueryId=saved["NamedQueryId"],
            Name=wanted.name,
            Description=wanted.description,
            QueryString=wanted.sql,
        )


def _saved(athena: AthenaClient, catalogue: AthenaCatalog) -> Iterator[NamedQueryTypeDef]:
    pages = athena.get_paginator("list_named_queries").paginate(
        WorkGroup=catalogue.workgroup, PaginationConfig={"PageSize": NAMES_PER_GET}
    )
    for page in pages:
        if ids := page["NamedQueryIds"]:
            yield from athena.batch_get_named_query(NamedQueryIds=ids)["NamedQueries"]
