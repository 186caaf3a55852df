"""Refuse by name what Athena rejects and DuckDB would run, and what DuckDB would answer otherwise.

So that a statement that passes here passes there. A function that is not in athena_functions.txt is one of DuckDB's, or
one of Trino's that is not covered here.
trino.io/docs/current/functions/list.html, docs.aws.amazon.com/athena/latest/ug/select.html
"""

import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache
from importlib import resources

from sqlglot import exp
from sqlglot.tokens import (  # type: ignore[attr-defined]  # sqlglot exports them without saying so
    Token,
    TokenType,
)

from pipeline.errors import UsageError

_WHOLE_NUMBER = re.compile(r"[-+]?\d+(?:-\d+)?")
_NO_CALLS = frozenset({"group", "sets"})  # words before a parenthesis in WITHIN GROUP (…) and GROUPING SETS (…)
_CALLED_KEYWORDS = {TokenType.LEFT, TokenType.RIGHT}  # words that are a function's name too

Nodes = Callable[[exp.Expr], bool]

# What of a syntax tree Athena does not have, and what to write.
FORMS: tuple[tuple[type[exp.Expr], Nodes, str], ...] = (
    (exp.ILike, lambda _: True, "ILIKE: write lower(x) LIKE lower(y)"),
    (exp.Group, lambda node: bool(node.args.get("all")), "GROUP BY ALL: name the columns or their positions"),
    (exp.Star, lambda node: bool(node.args.get("except_") or node.args.get("replace")), "* EXCLUDE: name the columns"),
    (
        exp.Count,
        lambda node: isinstance(node.this, exp.Distinct) and len(node.this.expressions) > 1,
        "count(DISTINCT a, b): write count(DISTINCT (a, b))",
    ),
    (exp.Split, lambda node: bool(node.args.get("limit")), "split with a limit: write regexp_extract or split_part"),
)


def refuse_tokens(tokens: Sequence[Token], *, names: frozenset[str]) -> None:
    """Check the words of a statement.

    Args:
        tokens: The statement's tokens.
        names: Names that may stand before a parenthesis without being a function: those of tables with columns.

    Raises:
        UsageError: Athena would reject a form, or a function is not covered here.
    """
    for token, following, third in zip(tokens, [*tokens[1:], None], [*tokens[2:], None, None], strict=False):
        if form := _refused_word(token, following, third, names):
            column = token.col - len(token.text) + 1
            raise UsageError(f"line {token.line}:{column}: Athena, or the local one, does not have {form}")


def refuse_forms(tree: exp.Expr) -> None:
    """Check the forms of a statement, and the names in its conditions.

    Raises:
        UsageError: Athena would reject a form.
    """
    for type_, is_refused, form in FORMS:
        if any(is_refused(node) for node in tree.find_all(type_)):
            raise UsageError(f"Athena, or the local one, does not have {form}")
    for select in tree.find_all(exp.Select):
        if alias := next(_aliases_in_conditions(select), None):
            raise UsageError(
                f"Athena does not know the alias {alias!r} in WHERE, GROUP BY and HAVING: repeat the expression, "
                "write its position, or use a subquery"
            )


@cache
def athena_functions() -> frozenset[str]:
    """Return the names of the functions of Athena's engine version 3 that are covered here."""
    file = resources.files("pipeline.local.sql").joinpath("athena_functions.txt")
    return frozenset(file.read_text(encoding="utf-8").split())


def _refused_word(token: Token, following: Token | None, third: Token | None, names: frozenset[str]) -> str:
    """Return what is wrong with a token, and what to write; "" if nothing is."""
    name = token.text.lower()
    is_call = following is not None and following.token_type is TokenType.L_PAREN
    if (
        is_call
        and token.token_type in {TokenType.VAR, *_CALLED_KEYWORDS}
        and name not in athena_functions() | names | _NO_CALLS
    ):
        return f"the function {name}"
    match token.token_type, following and following.token_type, third and third.token_type:
        case TokenType.DCOLON, _, _:
            return "x::type: write CAST(x AS type)"
        case TokenType.INTERVAL, TokenType.STRING, _ if following and not _WHOLE_NUMBER.fullmatch(
            following.text.strip()
        ):
            return "INTERVAL '7 days': write INTERVAL '7' DAY"
        case TokenType.LIMIT, TokenType.NUMBER, TokenType.COMMA:
            return "LIMIT a, b: write OFFSET a LIMIT b"
        case TokenType.L_BRACKET, TokenType.NUMBER, TokenType.R_BRACKET if following and following.text == "0":
            return "x[0]: the first element is x[1]"
    return ""


def _aliases_in_conditions(select: exp.Select) -> Iterator[str]:
    """Yield the aliases that conditions use, where no table of the query can have such a column."""
    aliases = {item.alias for item in select.expressions if isinstance(item, exp.Alias)}
    columns = _source_columns(select) if aliases else None
    if columns is None:
        return
    for part in ("where", "group", "having"):
        for column in select.args[part].find_all(exp.Column) if select.args.get(part) else ():
            if not column.table and column.name in aliases - columns and column.parent_select is select:
                yield column.name


def _source_columns(select: exp.Select) -> set[str] | None:
    """Return the columns of the tables of a query; None if one is not known."""
    columns: set[str] = set()
    sources = [select.args.get("from_"), *select.args.get("joins", ()), *select.args.get("laterals", ())]
    for source in (getattr(part, "this", None) for part in sources if part):
        known = _columns_of(source)
        if known is None:
            return None
        columns |= known
    return columns


def _columns_of(source: exp.Expr | None) -> set[str] | None:
    if isinstance(source, exp.Table):
        known = source.meta.get("columns")
        return set(known) if known else None
    if isinstance(source, exp.Subquery):
        return {*source.this.named_selects} if isinstance(source.this, exp.Query) and not source.this.is_star else None
    alias = source.args.get("alias") if source is not None else None
    return {column.name for column in alias.columns} if isinstance(alias, exp.TableAlias) and alias.columns else None
