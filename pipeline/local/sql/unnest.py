"""UNNEST as Trino means it: rows are spread over columns, maps over two, and several arrays run side by side.

DuckDB's takes one list and gives one column. What an array holds is known by its type; where that is unknown, by how
many columns the statement names. trino.io/docs/current/sql/select.html#unnest
"""

from sqlglot import exp

from pipeline.local.sql.node import call


def spread(unnest: exp.Unnest) -> exp.Expr:
    """Return one of Trino's UNNESTs as a table expression of DuckDB's."""
    arrays = unnest.expressions
    alias, offset = unnest.args.get("alias"), unnest.args.get("offset")
    names = list(alias.columns) if alias else []
    kinds = [_kind(array, len(names) if len(arrays) == 1 else 1) for array in arrays]
    if kinds == ["value"]:
        return unnest
    elements = [exp.column(f"_{number}") for number in range(len(arrays))]
    inner = exp.select(
        *(exp.alias_(_listed(array, kind), f"_{n}") for n, (array, kind) in enumerate(zip(arrays, kinds, strict=True)))
    )
    outer = exp.select(
        *(column for element, kind in zip(elements, kinds, strict=True) for column in _columns(element, kind))
    )
    if offset:
        inner = inner.select(exp.alias_(_numbers(arrays), "_n"))
        outer = outer.select("_n")
        names = [*names, offset] if isinstance(offset, exp.Identifier) else []
    table = exp.TableAlias(this=alias.this, columns=names) if alias else None
    return exp.Lateral(this=outer.from_(inner.subquery("_")).subquery(), alias=table)


def _kind(array: exp.Expr, names: int) -> str:
    """Tell whether an array's elements are rows, a map's entries, or plain values."""
    type_ = array.type
    if type_ and type_.is_type(exp.DType.MAP):
        return "entry"
    if type_ and type_.is_type(exp.DType.ARRAY) and type_.expressions:
        return "row" if type_.expressions[0].is_type(exp.DType.STRUCT) else "value"
    return "row" if names > 1 else "value"


def _listed(array: exp.Expr, kind: str) -> exp.Expr:
    return call("UNNEST", call("MAP_ENTRIES", array.copy()) if kind == "entry" else array.copy())


def _columns(element: exp.Column, kind: str) -> list[exp.Expr]:
    match kind:
        case "entry":
            return [exp.Dot(this=element.copy(), expression=exp.to_identifier(part)) for part in ("key", "value")]
        case "row":
            return [call("UNNEST", element)]
        case _:
            return [element]


def _numbers(arrays: list[exp.Expr]) -> exp.Expr:
    """Return 1, 2, 3 … to the end of the longest array."""
    lengths = [call("CARDINALITY", array.copy()) for array in arrays]
    longest = call("GREATEST", *lengths) if len(lengths) > 1 else lengths[0]
    return call("UNNEST", call("RANGE", exp.Literal.number(1), exp.cast(longest, "BIGINT") + 1))
