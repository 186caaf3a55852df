"""Nodes of a statement's tree."""

from sqlglot import exp


def function_call(name: str, *arguments: exp.Expr | str) -> exp.Anonymous:
    """Return a call that sqlglot writes as it is."""
    return exp.Anonymous(this=name, expressions=[exp.convert(argument) for argument in arguments])


def has_type(node: exp.Expr | None, *types: exp.DType) -> bool:
    """Tell whether a node is known to have one of these types."""
    return bool(node and node.type and node.type.is_type(*types))
