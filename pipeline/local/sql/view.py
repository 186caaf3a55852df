"""The views of schemas/views: SQL for Athena, one file each, to be run there as it stands."""

import msgspec
import sqlglot
from sqlglot import exp

from pipeline.aws.schema import folder
from pipeline.local.sql.trino import READ


class View(msgspec.Struct, frozen=True, kw_only=True):
    """A view.

    Attributes:
        name: What SQL calls it.
        query: What it shows, in Trino's SQL, parsed.
    """

    name: str
    query: exp.Expr


def views() -> list[View]:
    """Return the views, each after those that it reads from."""
    files = sorted(folder().joinpath("views").glob("*.sql"))
    created = [sqlglot.parse_one(file.read_text(encoding="utf-8"), read=READ) for file in files]
    return [View(name=create.this.name, query=create.expression) for create in created]
