"""Translate SQL for Athena (engine version 3, which is Trino) into SQL for DuckDB.

Claims: sqlglot translates, `pipeline.local.sql.rewrite` corrects its result, and `functions.sql` defines missing
functions. Every statement that is not a query is rejected here.
Leaves out: DDL, DML, EXPLAIN, prepared statements. SHOW and DESCRIBE: see `pipeline.local.sql.show`.
docs.aws.amazon.com/athena/latest/ug/engine-versions-reference-0003.html
"""

import re
from collections.abc import Mapping

import sqlglot
from sqlglot import exp
from sqlglot.errors import ErrorLevel, ParseError, TokenError, UnsupportedError
from sqlglot.optimizer.annotate_types import annotate_types
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from pipeline.errors import UsageError
from pipeline.local.sql.node import AthenaSQL
from pipeline.local.sql.refusals import refuse_forms, refuse_tokens, selected_columns
from pipeline.local.sql.refused_types import refuse_types
from pipeline.local.sql.rewrite import rewrite
from pipeline.local.sql.rewrite_numbers import round_decimals

TableColumns = Mapping[str, Mapping[str, str]]
"""The columns of each table and view, with their types in DuckDB."""

READ = AthenaSQL
WRITE = "duckdb"
MAX_BYTES = 262_144  # Athena's limit for a statement: docs.aws.amazon.com/athena/latest/ug/service-limits.html
QUERIES = "SELECT, WITH, SHOW or DESCRIBE"

MAP_FUNCTIONS = frozenset({"histogram", "map_agg", "map_concat", "map_filter", "transform_values"})
"""Functions that return a map, which sqlglot does not know."""

_COMMENTS = re.compile(r"\A\s*(?:--[^\n]*(?:\n|$)\s*|/\*.*?\*/\s*)*", re.DOTALL)
_NUMBER_AND_SIGN = re.compile(r"""'[^']*'|"[^"]*"|--[^\n]*|/\*.*?\*/|(\d\.?[eE][+-]?\d+)(?=[+-])""", re.DOTALL)
_INCOMPLETE = re.compile(r"Required \w+: .* missing for <class '[\w.]*\.(\w+)'>")
_FIRST_WORD = re.compile(r"\w+|\(")
_CHANGES = (exp.DML, exp.DDL, exp.Command, exp.Into)


def parse_trino(sql: str) -> exp.Expr:
    """Return the syntax tree of one query.

    Args:
        sql: One SELECT or WITH, in Athena's SQL.

    Raises:
        UsageError: It is not a query, holds several statements, or has a syntax error. The message names the line and
            the column of a syntax error.
    """
    if len(sql.encode()) > MAX_BYTES:
        raise UsageError(f"a statement has at most {MAX_BYTES:,} bytes")
    first_word = _FIRST_WORD.match(strip_statement(sql))
    if first_word is None or first_word.group().upper() not in {"SELECT", "WITH", "("}:
        raise UsageError(f"only queries run here: start with {QUERIES}")
    try:
        statements = [tree for tree in sqlglot.parse(_spaced(sql), read=READ) if tree is not None]
    except ParseError as error:
        raise UsageError(_syntax_error(error)) from error
    except TokenError as error:
        raise UsageError("syntax error: a quote or a comment is not closed") from error
    except RecursionError as error:
        raise UsageError("the statement is nested too deeply") from error
    if len(statements) != 1:
        raise UsageError(f"one statement at a time: this is {len(statements)}")
    if statements[0].find(*_CHANGES):
        raise UsageError("only queries run here: this statement would change something")
    refuse_tokens(sqlglot.tokenize(sql, read=READ), names=_named_lists(statements[0]))
    return statements[0]


def translate(query: exp.Expr, *, tables: TableColumns, database: str) -> str:
    """Return a query in DuckDB's SQL. The tree is changed in place.

    Args:
        query: A tree from `parse_trino`.
        tables: The tables that exist. Their types decide the meaning of some of Trino's SQL.
        database: The database of those tables.

    Raises:
        UsageError: It needs something that is not covered here.
    """
    _note_columns(query, tables)
    refuse_forms(query)
    for node in list(query.find_all(exp.CountIf, exp.Literal, exp.Cast)):
        _clarify_type(node)
    schema = MappingSchema({database: tables}, dialect=WRITE)
    _annotate(query, schema, database)
    while round_decimals(query):
        _annotate(query, schema, database)
    refuse_types(query)
    try:
        return rewrite(query).sql(dialect=WRITE, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise UsageError(f"not covered by the local Athena: {error}") from error


def position(sql: str, name: str) -> str:
    """Return where a statement first has a name, as `line 1:8: `; "" if it does not have it."""
    for token in sqlglot.tokenize(sql, read=READ):
        if token.text.lower() == name.lower():
            return _position(token.line, token.col, token.text)
    return ""


def strip_statement(sql: str) -> str:
    """Return a statement without leading comments and trailing semicolon."""
    return _COMMENTS.sub("", sql, count=1).rstrip().rstrip(";").rstrip()


def _spaced(sql: str) -> str:
    """Return a statement with a space between a number like 1e0 and a sign, which sqlglot reads as one number."""
    return _NUMBER_AND_SIGN.sub(lambda match: f"{match[1]} " if match[1] else match[0], sql)


def _syntax_error(error: ParseError) -> str:
    first = error.errors[0]
    # sqlglot appends the token as Python prints it, and names what is incomplete by its class.
    description = _INCOMPLETE.sub(_incomplete, first["description"].partition(" but got <Token")[0])
    return f"syntax error: {_position(first['line'], first['col'], first['highlight'])}{description}"


def _incomplete(match: re.Match[str]) -> str:
    return f"{match[1].upper()} is incomplete"


def _position(line: int, last_column: int, text: str) -> str:
    return f"line {line}:{last_column - len(text) + 1}: "


def _clarify_type(node: exp.Expr) -> None:
    """Replace an expression whose type sqlglot does not know by an equal one whose type it knows."""
    match node:
        case exp.CountIf():
            node.replace(exp.Count(this=exp.If(this=node.this.copy(), true=exp.convert(1))))
        case exp.Cast() if node.to.is_type(exp.DType.DECIMAL) and not node.to.expressions:
            node.set("to", exp.DataType.build("DECIMAL(38, 0)"))  # docs.aws.amazon.com/athena/latest/ug/data-types.html
        case exp.Literal() if not node.is_string and "e" in node.name.lower() and not isinstance(node.parent, exp.Cast):
            node.replace(exp.cast(node.copy(), "DOUBLE"))  # 100e0 is a double in Trino
        case exp.Literal() if not node.is_string and "." in node.name and not isinstance(node.parent, exp.Cast):
            digits = node.name.lstrip("0").replace(".", "")
            places = len(node.name.partition(".")[2])
            node.replace(exp.cast(node.copy(), f"DECIMAL({max(len(digits), 1)}, {places})"))  # 1.0 is a decimal there


def _named_lists(tree: exp.Expr) -> frozenset[str]:
    """Return the names before a list of columns, which is no call: those of table aliases and of common tables."""
    return frozenset(alias.name.lower() for alias in tree.find_all(exp.TableAlias) if alias.columns)


def _note_columns(query: exp.Expr, tables: TableColumns) -> None:
    """Note at each table what columns it has, where that is known."""
    for table in query.find_all(exp.Table):
        table.meta["columns"] = tuple(tables.get(table.name, ()))
    for common in [*query.find_all(exp.CTE)] * 2:  # one may read another, which may stand inside it
        columns = {column.name for column in common.args["alias"].columns} or selected_columns(common.this) or ()
        for table in query.find_all(exp.Table):
            if table.name == common.alias:
                table.meta["columns"] = tuple(columns)


def _annotate(tree: exp.Expr, schema: MappingSchema, database: str) -> None:
    """Set the type of each expression, where it can be known.

    sqlglot infers types only in a tree with qualified columns. Qualifying changes the tree, so a copy is qualified and
    its types are carried over by each node's number.
    """
    for number, node in enumerate(tree.walk()):
        node.meta["number"] = number
    copy = tree.copy()
    for call in list(copy.find_all(exp.Anonymous, exp.JSONExtract)):
        if isinstance(call, exp.JSONExtract):
            _mark(call, "JSON")
        elif call.name.lower() in MAP_FUNCTIONS:
            _mark(call, "MAP(VARCHAR, VARCHAR)")  # the types of its keys and values do not matter here
    try:
        qualified = qualify(
            copy, dialect=READ, schema=schema, db=database, validate_qualify_columns=False, quote_identifiers=False
        )
        nodes = annotate_types(qualified, schema=schema, dialect=READ).walk()
    except Exception:  # noqa: BLE001 - sqlglot's optimizer fails on invalid statements; DuckDB then explains the error
        return
    types = {node.meta["number"]: node.type for node in nodes if "number" in node.meta and node.type}
    for node in tree.walk():
        node.type = types.get(node.meta.pop("number"))


def _mark(call: exp.Expr, type_: str) -> None:
    """Wrap a call into a cast, so that sqlglot infers its type."""
    number = call.meta.pop("number")
    cast = exp.cast(call.copy(), type_, dialect=READ)
    cast.meta["number"] = number
    call.replace(cast)
