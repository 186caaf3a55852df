"""Rewriters for JSON, arrays, maps, rows and UNNEST.

Each function has the name of the Trino function or form that it rewrites. UNNEST spreads rows over columns and maps
over two, and runs several arrays side by side. DuckDB's takes one list and yields one column.
trino.io/docs/current/functions/array.html, map.html, json.html, trino.io/docs/current/sql/select.html#unnest
"""

import re

from sqlglot import exp
from sqlglot.errors import UnsupportedError

from pipeline.local.sql.node import function_call, has_type

_JSON_STEP = re.compile(r"""\.(?P<name>[\w:]+)|\[(?P<index>\d+)\]|\['(?P<quoted>[^'"]*)'\]|\["(?P<double>[^'"]*)"\]""")
_JSON_PATH = re.compile(rf"\$(?:{re.sub(r'[?]P<[a-z]+>', '?:', _JSON_STEP.pattern)})*")


def json_extract_scalar(node: exp.JSONExtractScalar) -> exp.Expr:
    """Yield null for text that is not JSON, for an object and for an array."""
    return function_call("JSON_SCALAR", node.this, _json_path(node))


def json_extract(node: exp.JSONExtract) -> exp.Expr:
    """Yield null for text that is not JSON."""
    return function_call("TRY", function_call("JSON_EXTRACT", node.this, _json_path(node)))


def _json_path(node: exp.JSONExtract | exp.JSONExtractScalar) -> exp.Expr:
    """Return Trino's JSON path as one of DuckDB's."""
    if not node.expression.is_string:
        raise UnsupportedError("a JSON path that is not a literal")
    text = node.expression.name
    if not _JSON_PATH.fullmatch(text):
        raise UnsupportedError(
            f"the JSON path {text}, which Athena rejects: write $.name, or $['name'] for a name with other characters "
            "than letters, digits, _ and :, and [0] for the first element"
        )
    return exp.Literal.string("$" + "".join(map(_json_step, _JSON_STEP.finditer(text))))


def _json_step(step: re.Match[str]) -> str:
    if step["index"]:
        return f"[{step['index']}]"
    name = step["name"] or step["quoted"] or step["double"]
    return f'."{name}"'


def cardinality(node: exp.ArraySize) -> exp.Expr:
    """Keep the function, which also counts maps. sqlglot would replace it by one for lists only."""
    return function_call("CARDINALITY", node.this)


def slice_array(node: exp.ArraySlice) -> exp.Expr:
    """Turn start and length into start and end."""
    start, length = node.args["start"], node.args["end"]
    return function_call("ARRAY_SLICE", node.this, start, exp.paren(start.copy() + length - 1))


def any_match(node: exp.Anonymous) -> exp.Expr:
    """Return True if the test of an element is true; null if none is, but one is null."""
    array, test = node.expressions
    return function_call("ANY_TRUE", exp.Transform(this=array, expression=test))


def none_match(node: exp.Anonymous) -> exp.Expr:
    """Negate `any_match`."""
    return exp.Not(this=any_match(node))


def all_match(node: exp.Anonymous) -> exp.Expr:
    """Return True if no element fails the test."""
    array, test = node.expressions
    failing = exp.Lambda(this=exp.Not(this=exp.paren(test.this)), expressions=test.expressions)
    return exp.Not(this=function_call("ANY_TRUE", exp.Transform(this=array, expression=failing)))


def subscript(node: exp.Bracket) -> exp.Expr:
    """Fail for a key or an index that does not exist, as Trino does. DuckDB would yield null."""
    if len(node.expressions) != 1 or isinstance(node.expressions[0], exp.Slice) or node.args.get("safe"):
        return node
    [index] = node.expressions
    if has_type(node.this, exp.DType.MAP):
        return function_call("MAP_VALUE_OR_ERROR", node.this, index)
    if has_type(node.this, exp.DType.ARRAY, exp.DType.LIST):
        return function_call("ARRAY_VALUE_OR_ERROR", node.this, index + (1 - (node.args.get("offset") or 0)))
    return node


def attempt(node: exp.Try) -> exp.Expr:
    """Yield null for what would fail, because DuckDB's TRY takes no function that fails on purpose."""
    for call in list(node.find_all(exp.Anonymous)):
        if call.name.endswith("_OR_ERROR"):
            arguments = call.expressions[:2]
            call.replace(function_call(call.name.removesuffix("_OR_ERROR") + "_OR_NULL", *arguments))
    return node


def reduce_array(node: exp.Reduce) -> exp.Expr:
    """Apply the last step as a transform of the one result, because DuckDB's function has no last step."""
    finish = node.args.pop("finish")
    return exp.Bracket(
        this=exp.Transform(this=exp.array(node.copy()), expression=finish), expressions=[exp.convert(1)], offset=1
    )


def map_filter(node: exp.Anonymous) -> exp.Expr:
    """Filter a map as the list of its entries."""
    entries, test = function_call("MAP_ENTRIES", node.expressions[0]), _over_entry(node.expressions[1])
    return function_call("MAP_FROM_ENTRIES", exp.ArrayFilter(this=entries, expression=test))


def transform_values(node: exp.Anonymous) -> exp.Expr:
    """Transform a map as the list of its entries."""
    map_, change = node.expressions
    values = exp.Transform(this=function_call("MAP_ENTRIES", map_.copy()), expression=_over_entry(change))
    return function_call("MAP_FROM_LISTS", function_call("MAP_KEYS", map_), values)


def _over_entry(function: exp.Lambda) -> exp.Lambda:
    """Return a function of key and value as a function of an entry."""
    parts = dict(zip((parameter.name for parameter in function.expressions), ("key", "value"), strict=True))

    def to_field(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Identifier) and node.name in parts:
            return exp.Dot(this=exp.to_identifier("entry"), expression=exp.to_identifier(parts[node.name]))
        return node

    return exp.Lambda(this=function.this.transform(to_field), expressions=[exp.to_identifier("entry")])


def row_constructor(node: exp.Struct) -> exp.Expr:
    """Leave the fields without names."""
    return function_call("ROW", *node.expressions)


def spread_rows(node: exp.Values) -> exp.Expr:
    """Take VALUES ROW(a, b) for two columns. DuckDB would take it for one, of rows."""
    for row in node.expressions:
        fields = row.expressions
        if len(fields) == 1 and (inner := row_fields(fields[0])):
            row.set("expressions", inner)
    return node


def rows_compared(node: exp.EQ | exp.NEQ | exp.In) -> list[list[exp.Expr]]:
    """Return the fields of rows that are compared with the first; an empty list if not all are rows of one size."""
    others = node.expressions if isinstance(node, exp.In) else [node.expression]
    rows = [row_fields(row) for row in (node.this, *others)]
    return rows if len(rows) > 1 and len({len(row) for row in rows}) == 1 and rows[0] else []


def row_fields(node: exp.Expr) -> list[exp.Expr]:
    """Return the fields of a row's constructor: ROW(a, b), or (a, b)."""
    is_row = isinstance(node, (exp.Tuple, exp.Struct)) or (isinstance(node, exp.Anonymous) and node.name == "ROW")
    return node.expressions if is_row else []


def contains(node: exp.ArrayContains) -> exp.Expr:
    """Yield null if a null in the array might be the value."""
    return function_call("ARRAY_CONTAINS_OR_NULL", node.this, node.expression)


def array_distinct(node: exp.ArrayDistinct) -> exp.Expr:
    """Keep the order of the first occurrences."""
    return function_call("ARRAY_FIRST_OCCURRENCES", node.this)


def array_position(node: exp.ArrayPosition) -> exp.Expr:
    """Yield 0 if there is no such element. DuckDB would yield null."""
    return function_call("ARRAY_POSITION_OR_ZERO", node.this, node.expression)


def unnest(node: exp.Unnest) -> exp.Expr:
    """Return a table expression of DuckDB's with the columns that Athena's UNNEST has.

    An array of rows yields one column, of rows: Athena differs from Trino, which yields a column for each field. An
    array's type says what its elements are. Where it is unknown, the number of column names in the statement does.
    docs.aws.amazon.com/athena/latest/ug/filtering-with-unnest.html
    """
    arrays = node.expressions
    alias, offset = node.args.get("alias"), node.args.get("offset")
    names = list(alias.columns) if alias else []
    kinds = [_element_kind(array, len(names) if len(arrays) == 1 else 1) for array in arrays]
    if "row" in kinds and len(names) != len(arrays):
        raise UnsupportedError(
            "UNNEST of rows with a column for each field, which Athena rejects: write UNNEST(x) AS t (r) and r.field, "
            "or UNNEST(transform(x, r -> r.field), …) AS t (field, …)"
        )
    kinds = ["value" if kind == "row" else kind for kind in kinds]
    if kinds == ["value"]:
        return node
    inner, outer = exp.select(), exp.select()
    for number, (array, kind) in enumerate(zip(arrays, kinds, strict=True)):
        inner = inner.select(exp.alias_(_elements(array, kind), f"_{number}"))
        outer = outer.select(*_columns(exp.column(f"_{number}"), kind))
    if offset:
        inner = inner.select(exp.alias_(_ordinals(arrays), "_n"))
        outer = outer.select("_n")
        names = [*names, offset] if isinstance(offset, exp.Identifier) else []
    table = exp.TableAlias(this=alias.this, columns=names) if alias else None
    return exp.Lateral(this=outer.from_(inner.subquery("_")).subquery(), alias=table)


def _element_kind(array: exp.Expr, name_count: int) -> str:
    """Return what an array's elements are: "row", "entry" of a map, or plain "value"."""
    type_ = array.type
    if type_ and type_.is_type(exp.DType.MAP):
        return "entry"
    if type_ and type_.is_type(exp.DType.ARRAY) and type_.expressions:
        return "row" if type_.expressions[0].is_type(exp.DType.STRUCT) else "value"
    return "row" if name_count > 1 else "value"


def _elements(array: exp.Expr, kind: str) -> exp.Expr:
    return function_call("UNNEST", function_call("MAP_ENTRIES", array.copy()) if kind == "entry" else array.copy())


def _columns(element: exp.Column, kind: str) -> list[exp.Expr]:
    match kind:
        case "entry":
            return [exp.Dot(this=element.copy(), expression=exp.to_identifier(part)) for part in ("key", "value")]
        case _:
            return [element]


def _ordinals(arrays: list[exp.Expr]) -> exp.Expr:
    """Return 1, 2, 3 … up to the length of the longest array."""
    lengths = [function_call("CARDINALITY", array.copy()) for array in arrays]
    longest = function_call("GREATEST", *lengths) if len(lengths) > 1 else lengths[0]
    return function_call("UNNEST", function_call("RANGE", exp.Literal.number(1), exp.cast(longest, "BIGINT") + 1))
