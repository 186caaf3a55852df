"""What Athena shows beside the log: views, and queries worth having, made through its own API.

Each is replaced by the one of the same name, and what others made is left alone, so this can be done again and again.
docs.aws.amazon.com/athena/latest/APIReference/API_CreateNamedQuery.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import msgspec

from pipeline.aws.athena import query
from pipeline.aws.deployment.statement import Statement, statements
from pipeline.aws.refusal import asking

if TYPE_CHECKING:
    from mypy_boto3_athena import AthenaClient
    from mypy_boto3_athena.type_defs import NamedQueryTypeDef

NAMES_PER_GET = 50  # the limit of BatchGetNamedQuery


class Catalogue(msgspec.Struct, frozen=True, kw_only=True):
    """Where Athena keeps them.

    Attributes:
        database: The log's.
        workgroup: Whose queries they are; it keeps answers itself.
    """

    database: str
    workgroup: str


def create_views(athena: AthenaClient, catalogue: Catalogue) -> Iterator[str]:
    """Make the views, one after the other, and give the name of each when it is there.

    Raises:
        Misuse: Athena refuses one.
        ArchiveUnavailable: Athena is throttled, unreachable or too slow.
    """
    for view in statements("views"):
        query(athena, view.sql, database=catalogue.database, workgroup=catalogue.workgroup)
        yield view.name


def create_queries(athena: AthenaClient, catalogue: Catalogue) -> Iterator[str]:
    """Save the queries, and give the name of each when it is there.

    Raises:
        Misuse: AWS denies or refuses it.
        CloudUnavailable: AWS throttles or cannot be reached.
    """
    with asking("listing saved queries"):
        saved = {one["Name"]: one for one in _saved(athena, catalogue) if one["Database"] == catalogue.database}
    for wanted in statements("queries"):
        with asking(f"saving the query {wanted.name}"):
            _save(athena, catalogue, wanted, saved.get(wanted.name))
        yield wanted.name


def _save(athena: AthenaClient, catalogue: Catalogue, wanted: Statement, saved: NamedQueryTypeDef | None) -> None:
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


def _saved(athena: AthenaClient, catalogue: Catalogue) -> Iterator[NamedQueryTypeDef]:
    pages = athena.get_paginator("list_named_queries").paginate(
        WorkGroup=catalogue.workgroup, PaginationConfig={"PageSize": NAMES_PER_GET}
    )
    for page in pages:
        if ids := page["NamedQueryIds"]:
            yield from athena.batch_get_named_query(NamedQueryIds=ids)["NamedQueries"]
