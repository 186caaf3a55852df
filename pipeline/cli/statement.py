"""The statement that `mailfold query` runs: an argument, a file, standard input, or a saved query by its name.

The saved queries are those that a deployment keeps in Athena too.
"""

import re
from pathlib import Path

from pipeline.address import canonical
from pipeline.aws.archive.sql_files import SqlFile, sql_files
from pipeline.cli.sources import STANDARD_INPUT, standard_input
from pipeline.errors import UsageError

MAX_STATEMENT_BYTES = 262_144  # Athena's limit: docs.aws.amazon.com/athena/latest/ug/service-limits.html

# A saved query about one address or one mail has an example of it in its condition.
_EXAMPLE = re.compile(r"(?<= = ')[^']+(?=')")

_PARAMETER = "?"  # such a query is for a command that has the values, and for Athena's console, which asks for them


def read_statement(argument: str | None, *, file: str | None, saved: str | None) -> str:
    """Return the statement.

    Args:
        argument: The SQL, or `-` for standard input. With `saved`: what that query is about, if it needs this.
        file: A file that holds the SQL, or `-` for standard input.
        saved: The name of a saved query.

    Raises:
        UsageError: There is none, or more than one; or it cannot be read.
    """
    if saved and file is None:
        return _saved_statement(saved, argument)
    if saved or (argument is None) == (file is None):
        raise UsageError("which SQL? Write it as one argument, or name a file with --file, or a query with --saved")
    sql = _read_file(file or STANDARD_INPUT) if file or argument == STANDARD_INPUT else str(argument)
    if not sql.strip():
        raise UsageError("there is no SQL to run: write for example SELECT count(*) FROM events")
    return sql


def saved_names() -> list[str]:
    """Return the names of the saved queries that need no parameters."""
    return [query.name for query in _saved_queries()]


def _saved_queries() -> list[SqlFile]:
    return [query for query in sql_files("queries") if _PARAMETER not in query.sql]


def _saved_statement(name: str, subject: str | None) -> str:
    query = next((query for query in _saved_queries() if query.name == name), None)
    if query is None:
        raise UsageError(f"no saved query is named {name!r}: name one of {', '.join(saved_names())}")
    needs_subject = _needs_subject(query)
    if needs_subject and not subject:
        raise UsageError(f"{name} is about one address or mail: name it after the query")
    if subject and not needs_subject:
        raise UsageError(f"{name} is a whole query: it takes no SQL")
    text = (canonical(subject) or subject).replace("'", "''") if subject else ""
    return _EXAMPLE.sub(lambda _: text, query.sql) if needs_subject else query.sql


def _needs_subject(query: SqlFile) -> bool:
    return "into the condition" in query.description


def _read_file(name: str) -> str:
    try:
        if name == STANDARD_INPUT:
            data = standard_input().read(MAX_STATEMENT_BYTES + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(MAX_STATEMENT_BYTES + 1)
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise UsageError(f"cannot read {name}: {error.strerror or error}") from error
    except UnicodeDecodeError as error:
        raise UsageError(f"cannot read {name}: it is not UTF-8") from error
    if len(data) > MAX_STATEMENT_BYTES:
        raise UsageError(f"{name} is no statement: one has at most {MAX_STATEMENT_BYTES:,} bytes")
    return text
