"""Execution parameters: values for the question marks of a statement, in their order.

Claims: a value is written as in SQL, a text in quotes, as Athena expects it of StartQueryExecution.
Leaves out: PREPARE and EXECUTE.
docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html
"""

from collections.abc import Sequence

import sqlglot
from sqlglot.errors import TokenError
from sqlglot.tokens import (  # type: ignore[attr-defined]  # sqlglot exports it without saying so
    TokenType,
)

from pipeline.errors import UsageError
from pipeline.local.sql.translate import READ


def bind(sql: str, values: Sequence[str]) -> str:
    """Return a statement with its parameters' values.

    Args:
        sql: The statement.
        values: A value for each question mark.

    Raises:
        UsageError: There are more or fewer of them.
    """
    try:
        tokens = sqlglot.tokenize(sql, read=READ)
    except TokenError:
        return sql  # the parser explains it
    places = [token.start for token in tokens if token.token_type is TokenType.PLACEHOLDER]
    if len(places) != len(values):
        raise UsageError(f"Incorrect number of parameters: expected {len(places)} but found {len(values)}")
    starts, ends = [0, *(place + 1 for place in places)], [*places, len(sql)]
    parts = (sql[start:end] for start, end in zip(starts, ends, strict=True))
    return "".join(part + value for part, value in zip(parts, [*values, ""], strict=True))
