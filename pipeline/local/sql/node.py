"""Helpers for nodes of sqlglot's syntax tree."""

from collections.abc import Callable
from typing import Any

from sqlglot import exp

Rewriter = Callable[[Any], exp.Expr]
"""Returns the node to use in place of a node of one type: a new one, or the same."""


def function_call(name: str, *arguments: exp.Expr | str) -> exp.Anonymous:
    """Return a call that sqlglot writes unchanged."""
    return exp.Anonymous(this=name, expressions=[exp.convert(argument) for argument in arguments])


def has_type(node: exp.Expr | None, *types: exp.DType) -> bool:
    """Return True if a node's type is known and is one of these."""
    return bool(node and node.type and node.type.is_type(*types))
