"""SHOW and DESCRIBE answer from the catalog."""

from collections.abc import Iterator

import pytest

from pipeline.aws.archive import schema
from pipeline.errors import UsageError
from pipeline.local.athena import Athena
from tests.support.log_in_s3 import athena_over

LINK_CLICKS = [
    ("day", "string", ""),
    ("link", "string", ""),
    ("host", "string", ""),
    ("clicks", "bigint", ""),
    ("human_clicks", "bigint", ""),
    ("bot_clicks", "bigint", ""),
    ("mails", "bigint", ""),
]


@pytest.fixture(scope="module")
def empty() -> Iterator[Athena]:
    with athena_over() as athena:
        yield athena


@pytest.mark.parametrize(
    ("statement", "rows"),
    [
        ("SHOW DATABASES", [("mailfold",)]),
        ("show schemas;", [("mailfold",)]),
        ("SHOW COLUMNS FROM mailfold.daily_counts", [("day",), ("event_type",), ("events",), ("mails",)]),
        ("DESC link_clicks", LINK_CLICKS),
    ],
)
def test_show_and_describe(empty: Athena, statement: str, rows: list[tuple[str | None, ...]]) -> None:
    """Each covered form lists the names, types and comments that exist."""
    assert empty.run(statement).rows == rows


def test_describe_lists_glues_types_and_comments(empty: Athena) -> None:
    """The log is described with the types and comments of the schema's definition."""
    log = schema.log_schema()
    expected = [(column.name, column.type, column.comment) for column in (*log.columns, *log.partitions)]
    assert empty.run("DESCRIBE events").rows == expected


def test_views_are_tables_without_the_log(empty: Athena) -> None:
    """SHOW TABLES lists the log and its views, SHOW VIEWS only the views."""
    tables = [name for (name,) in empty.run("SHOW TABLES IN mailfold").rows]
    assert "events" in tables
    assert [name for (name,) in empty.run("SHOW VIEWS").rows] == [name for name in tables if name != "events"]


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SHOW TABLES IN elsewhere", "there is no database elsewhere"),
        ("DESCRIBE evnts", "there is no table evnts"),
        ("SHOW CREATE TABLE events", "not covered here"),
    ],
)
def test_a_wrong_show_is_rejected(empty: Athena, statement: str, message: str) -> None:
    """An unknown database, an unknown table and a form that is not covered each have their own message."""
    with pytest.raises(UsageError, match=message):
        empty.run(statement)
