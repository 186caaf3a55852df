"""The SQL statements of this project: views and saved queries, one a file in schemas/views and schemas/queries."""

from itertools import takewhile

import msgspec

from pipeline.aws.archive.schema import schemas_folder

COMMENT = "--"


class SqlFile(msgspec.Struct, frozen=True, kw_only=True):
    """A file with one SQL statement.

    Attributes:
        name: Name of the file without its extension.
        description: First line of the comment.
        sql: Athena SQL without the leading comment.
    """

    name: str
    description: str
    sql: str


def sql_files(kind: str) -> list[SqlFile]:
    """Return the statements of a kind, `views` or `queries`, ordered by name."""
    files = sorted(schemas_folder().joinpath(kind).glob("*.sql"))
    return [_parse_sql(file.stem, file.read_text(encoding="utf-8")) for file in files]


def _parse_sql(name: str, text: str) -> SqlFile:
    lines = text.splitlines()
    comments = list(takewhile(lambda line: line.startswith(COMMENT), lines))
    # Athena parses some statements with another parser than Trino's, and that one rejects a leading comment.
    sql = "\n".join(lines[len(comments) :]).strip()
    return SqlFile(name=name, description=comments[0].removeprefix(COMMENT).strip(), sql=sql)
