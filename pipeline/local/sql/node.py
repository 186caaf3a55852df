"""Helpers for nodes of sqlglot's syntax tree."""

from collections.abc import Callable
from typing import Any

from sqlglot import exp
from sqlglot.dialects.trino import Trino

NO_FIELD = "\0"  # in a pattern of a time, a field that Trino rejects

Rewriter = Callable[[Any], exp.Expr]
"""Returns the node to use in place of a node of one type: a new one, or the same."""


class AthenaSQL(Trino):
    """Trino's dialect, with JSON paths as they are written, and its own fields in patterns of times.

    sqlglot would read some paths otherwise, and leave the fields that MySQL has and Trino lacks as they are.
    trino.io/docs/current/functions/datetime.html#mysql-date-functions
    """

    TIME_MAPPING = {  # noqa: RUF012 - as in sqlglot's dialects
        **{f"%{letter}": letter for letter in "ABCEFGJKLNOPQRZgnoqtz"},
        **Trino.TIME_MAPPING,
        **{f"%{letter}": NO_FIELD for letter in "DUVXuw"},
        "%v": "%V",
    }

    def to_json_path(self, path: exp.Expr | None) -> exp.Expr | None:
        """Return a path unchanged."""
        return path


def function_call(name: str, *arguments: exp.Expr | str) -> exp.Anonymous:
    """Return a call that sqlglot writes unchanged."""
    return exp.Anonymous(this=name, expressions=[exp.convert(argument) for argument in arguments])


def has_type(node: exp.Expr | None, *types: exp.DType) -> bool:
    """Return True if a node's type is known and is one of these."""
    return bool(node and node.type and node.type.is_type(*types))
