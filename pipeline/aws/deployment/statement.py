"""SQL that a deployment brings with it, one file for each statement: schemas/views and schemas/queries."""

from collections.abc import Iterator

import msgspec

from pipeline.aws.schema import folder

COMMENT = "--"


class Statement(msgspec.Struct, frozen=True, kw_only=True):
    """A statement.

    Attributes:
        name: What it is called: its file's name.
        description: What it is for, in a line.
        sql: Athena's SQL, without the comments before it.
    """

    name: str
    description: str
    sql: str


def statements(kind: str) -> list[Statement]:
    """Return the statements of a kind, `views` or `queries`, by name."""
    files = sorted(folder().joinpath(kind).glob("*.sql"))
    return [_statement(file.stem, file.read_text(encoding="utf-8")) for file in files]


def _statement(name: str, text: str) -> Statement:
    lines = text.splitlines()
    comments = list(_leading_comments(lines))
    # Some statements Athena hands to another parser than Trino's, and that one takes no comment before them.
    return Statement(name=name, description=comments[0], sql="\n".join(lines[len(comments) :]).strip())


def _leading_comments(lines: list[str]) -> Iterator[str]:
    for line in lines:
        if not line.startswith(COMMENT):
            return
        yield line.removeprefix(COMMENT).strip()
