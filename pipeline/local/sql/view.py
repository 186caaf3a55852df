"""The views of schemas/views: SQL for Athena, one file each, to be run there as it stands."""

from importlib import resources
from pathlib import Path

import msgspec
import sqlglot
from sqlglot import exp

import pipeline
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
    files = sorted((file for file in _folder().iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)
    created = [sqlglot.parse_one(file.read_text(encoding="utf-8"), read=READ) for file in files]
    return [View(name=create.this.name, query=create.expression) for create in created]


def _folder() -> resources.abc.Traversable:
    """Return schemas/views: inside the package in a wheel, beside the package in a checkout."""
    inside = resources.files(pipeline).joinpath("schemas", "views")
    return inside if inside.is_dir() else Path(pipeline.__file__).parent.parent / "schemas" / "views"
