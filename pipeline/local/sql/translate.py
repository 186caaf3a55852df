"""SQL as it is written for Athena (engine version 3, which is Trino), as SQL for DuckDB.

sqlglot translates, `pipeline.local.sql.rewrite` mends what it leaves, and functions.sql gives DuckDB functions that
only Trino has. Only queries pass: this is where anything else is refused.
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
from pipeline.local.sql.rewrite import rewrite

TableColumns = Mapping[str, Mapping[str, str]]
"""Columns and their types in DuckDB, by table and view."""

READ = "athena"
WRITE = "duckdb"
MAX_BYTES = 262_144  # Athena's limit for a statement
QUERIES = "SELECT, WITH, SHOW or DESCRIBE"

GIVE_MAPS = frozenset({"histogram", "map_agg", "map_concat", "map_filter", "transform_values"})

_COMMENTS = re.compile(r"\A\s*(?:--[^\n]*(?:\n|$)\s*|/\*.*?\*/\s*)*", re.DOTALL)
_FIRST_WORD = re.compile(r"\w+|\(")
_CHANGES = (exp.DML, exp.DDL, exp.Command, exp.Into)


def unquoted(sql: str) -> str:
    """Return a statement without the comments before it and the semicolon after it."""
    return _COMMENTS.sub("", sql, count=1).rstrip().rstrip(";").rstrip()


def translate(query: exp.Expr, *, tables: TableColumns, database: str) -> str:
    """Return a query in DuckDB's SQL; the tree is used up.

    Args:
        query: From `parse`.
        tables: What there is to be queried: types decide what some of Trino's SQL means.
        database: Where those tables are.

    Raises:
        UsageError: It needs what is not covered here.
    """
    _annotate(query, MappingSchema({database: tables}, dialect=WRITE), database)
    try:
        return rewrite(query).sql(dialect=WRITE, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise UsageError(f"not covered by the local Athena: {error}") from error


def parse_trino(sql: str) -> exp.Expr:
    """Return the tree of one query.

    Args:
        sql: One SELECT or WITH, as Athena takes it.

    Raises:
        UsageError: It is no query, more than one statement, or holds a mistake, of which line and column are given.
    """
    if len(sql.encode()) > MAX_BYTES:
        raise UsageError(f"a statement has at most {MAX_BYTES:,} bytes")
    first = _FIRST_WORD.match(unquoted(sql))
    if first is None or first.group().upper() not in {"SELECT", "WITH", "("}:
        raise UsageError(f"only queries run here: start with {QUERIES}")
    try:
        statements = [tree for tree in sqlglot.parse(sql, read=READ) if tree is not None]
    except ParseError as error:
        raise UsageError(_mistake(error)) from error
    except TokenError as error:
        raise UsageError("mistake in the SQL: a quote or a comment is not closed") from error
    except RecursionError as error:
        raise UsageError("the statement is nested too deeply") from error
    if len(statements) != 1:
        raise UsageError(f"one statement at a time: this is {len(statements)}")
    if statements[0].find(*_CHANGES):
        raise UsageError("only queries run here: this one would change something")
    return statements[0]


def position(sql: str, name: str) -> str:
    """Return where a name stands first in a statement, as `line 1:8: `; "" if it does not."""
    for token in sqlglot.tokenize(sql, read=READ):
        if token.text.lower() == name.lower():
            return _at(token.line, token.col, token.text)
    return ""


def _mistake(error: ParseError) -> str:
    first = error.errors[0]
    # sqlglot shows a token as it is in Python; only its sentence is for people.
    what = first["description"].partition(" but got <Token")[0]
    return f"mistake in the SQL: {_at(first['line'], first['col'], first['highlight'])}{what}"


def _at(line: int, last_column: int, text: str) -> str:
    return f"line {line}:{last_column - len(text) + 1}: "


def _annotate(tree: exp.Expr, schema: MappingSchema, database: str) -> None:
    """Give every expression its type, where that can be known.

    sqlglot finds types only in a tree whose columns are qualified, which changes it: hence the copy.
    """
    for number, node in enumerate(tree.walk()):
        node.meta["number"] = number
    copy = tree.copy()
    for call in list(copy.find_all(exp.Anonymous)):
        if call.name.lower() in GIVE_MAPS:
            _take_for_map(call)
    try:
        qualified = qualify(
            copy,
            dialect=READ,
            schema=schema,
            db=database,
            validate_qualify_columns=False,
            quote_identifiers=False,
        )
        nodes = annotate_types(qualified, schema=schema, dialect=READ).walk()
    except Exception:  # noqa: BLE001 - sqlglot's optimizer trips over odd statements; DuckDB says what is wrong with them
        return
    types = {node.meta["number"]: node.type for node in nodes if "number" in node.meta and node.type}
    for node in tree.walk():
        node.type = types.get(node.meta.pop("number"))


def _take_for_map(call: exp.Anonymous) -> None:
    """Tell sqlglot, which does not know the function, that it gives a map; of what does not matter here."""
    number = call.meta.pop("number")
    cast = exp.cast(call.copy(), "MAP(VARCHAR, VARCHAR)", dialect=READ)
    cast.meta["number"] = number
    call.replace(cast)
