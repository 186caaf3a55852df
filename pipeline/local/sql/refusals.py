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
_BEFORE_LIST = {TokenType.SELECT, TokenType.COMMA, TokenType.L_PAREN, TokenType.L_BRACKET, TokenType.IN, TokenType.EQ}

Nodes = Callable[[exp.Expr], bool]


def _words(join: exp.Expr) -> set[str]:
    return {join.text("kind").upper(), join.text("method").upper()}


def _orders_by_other(select: exp.Expr) -> bool:
    """Return True if a SELECT DISTINCT is ordered by something that it does not select."""
    order = select.args.get("order")
    if not (isinstance(select, exp.Select) and select.args.get("distinct") and order) or select.is_star:
        return False
    selected = {item.alias_or_name.lower() for item in select.expressions}
    selected |= {item.unalias().sql().lower() for item in select.expressions}
    keys = [ordered.this for ordered in order.expressions]
    return not all(key.is_int or key.sql().lower() in selected or key.name.lower() in selected for key in keys)


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
    (exp.ApproxQuantile, lambda node: bool(node.args.get("weight")), "approx_percentile with weights"),
    (exp.TableSample, lambda _: True, "samples of a table"),
    (exp.Pivot, lambda _: True, "PIVOT: write count_if or sum(IF(…)) for each column"),
    (exp.Join, lambda node: bool({"SEMI", "ANTI", "ASOF"} & _words(node)), "this join: write EXISTS or IN"),
    (exp.Distinct, lambda node: bool(node.args.get("on")), "DISTINCT ON: write max_by, or row_number() in a subquery"),
    (exp.SimilarTo, lambda _: True, "SIMILAR TO: write regexp_like(x, …)"),
    (
        exp.Unnest,
        lambda node: isinstance(node.parent, (exp.Select, exp.Alias)) and node.arg_key != "from_",
        "UNNEST in SELECT: write CROSS JOIN UNNEST(x) AS t (y)",
    ),
    (exp.Select, _orders_by_other, "ORDER BY of what SELECT DISTINCT leaves out"),
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
    after_array = {number + 1 for number, token in enumerate(tokens) if token.token_type is TokenType.ARRAY}
    triples = zip(tokens, [*tokens[1:], None], [*tokens[2:], None, None], strict=False)
    for number, (token, following, third) in enumerate(triples):
        if number in after_array:
            continue  # ARRAY[0] is no index
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
                f"Athena does not know the alias {alias!r} in WHERE, GROUP BY, HAVING and beside it in SELECT: repeat "
                "the expression, write its position, or use a subquery"
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
        case _, TokenType.L_BRACKET, _ if token.token_type in _BEFORE_LIST:
            return "[a, b]: write ARRAY[a, b]"
        case TokenType.NUMBER | TokenType.DECIMAL, TokenType.VAR | TokenType.STRING, _:
            return _refused_number(token, following)
        case TokenType.RLIKE, _, _:
            return "x REGEXP y: write regexp_like(x, y)"
        case TokenType.EQ, _, _ if name == "==":
            return "==: write ="
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


def _refused_number(token: Token, following: Token | None) -> str:
    if token.token_type is TokenType.DECIMAL:
        return "DECIMAL '1.5': write 1.5"
    if following and following.start == token.end + 1:
        return f"{token.text}{following.text}: write a space before an alias, and numbers without underscores"
    return ""


def _aliases_in_conditions(select: exp.Select) -> Iterator[str]:
    """Yield the aliases that conditions and other columns use, where no table can have such a column."""
    aliases = {item.alias.lower() for item in select.expressions if isinstance(item, exp.Alias)}
    columns = _source_columns(select) if aliases else None
    if columns is None:
        return
    parts = [select.args.get("where"), select.args.get("group"), select.args.get("having"), *select.expressions]
    for part in filter(None, parts):
        for column in part.find_all(exp.Column):
            is_alias = not column.table and column.name.lower() in aliases - columns
            if is_alias and column.parent_select is select and not _is_parameter(column):
                yield column.name


def _is_parameter(column: exp.Column) -> bool:
    """Return True if a name is a parameter of a lambda around it."""
    function = column.find_ancestor(exp.Lambda)
    return function is not None and column.name in {parameter.name for parameter in function.expressions}


def _source_columns(query: exp.Expr) -> set[str] | None:
    """Return the columns of the tables of a query, in lower case; None if one is not known."""
    columns: set[str] = set()
    sources = [query.args.get("from_"), *query.args.get("joins", ()), *query.args.get("laterals", ())]
    for source in (getattr(part, "this", None) for part in sources if part):
        known = _columns_of(source)
        if known is None:
            return None
        columns |= {name.lower() for name in known}
    return columns


def _columns_of(source: exp.Expr | None) -> set[str] | None:
    alias = source.args.get("alias") if source is not None else None
    if isinstance(alias, exp.TableAlias) and alias.columns:
        return {column.name for column in alias.columns}
    if isinstance(source, exp.Table):
        known = source.meta.get("columns")
        return set(known) if known else None
    if isinstance(source, exp.Subquery) and isinstance(source.this, exp.Query):
        return selected_columns(source.this)
    return None


def selected_columns(query: exp.Query) -> set[str] | None:
    """Return the columns of a query's result, in lower case; None if they are not known."""
    names = {name.lower() for name in query.named_selects if name != "*"}
    if not query.is_star:
        return names
    columns = _source_columns(query) if isinstance(query, exp.Select) else None
    return None if columns is None else names | columns
