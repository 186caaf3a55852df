"""Athena's views and saved queries: each exists once, as in schemas/, and queries of other users are kept."""

from pathlib import Path
from typing import Any

import pytest

from pipeline.aws.archive.sql_files import sql_files
from pipeline.aws.deployment.athena import AthenaCatalog, create_queries, create_views, require_views
from pipeline.errors import QueryFailed
from tests.support.fake_athena import FakeAthena

SCHEMAS = Path(__file__).parents[3] / "schemas"
MINE = AthenaCatalog(database="mail", workgroup="mail")


def a_query(**changes: Any) -> dict[str, Any]:
    """Return a saved query as Athena describes it."""
    return {"Name": "history_of_a_mail", "Database": "mail", "QueryString": "SELECT 1", "WorkGroup": "mail", **changes}


def by_name(athena: FakeAthena) -> dict[str, Any]:
    """Return the saved queries by name."""
    return {query["Name"]: query for query in athena.queries.values()}


@pytest.mark.parametrize("kind", ["views", "queries"])
def test_every_file_has_a_description_and_one_statement(kind: str) -> None:
    """Every file in schemas/ starts with a comment that ends like a sentence, and holds one statement of its kind."""
    files = sql_files(kind)
    assert {file.name for file in files} == {path.stem for path in SCHEMAS.joinpath(kind).glob("*.sql")} != set()
    for file in files:
        assert file.description.endswith((".", ":"))
        assert file.sql.startswith("CREATE OR REPLACE VIEW " if kind == "views" else "SELECT")
        assert "--" not in file.sql


def test_views_are_created_in_the_database_of_the_log() -> None:
    """Views are created in order, in the log's database and workgroup, and without an output location."""
    athena = FakeAthena()
    names = [file.name for file in sql_files("views")]
    results = create_views(athena.client(), MINE)
    assert [result.name for result in results] == names
    require_views(results)
    assert [statement.split()[4] for statement in athena.statements] == names
    request = athena.asked("start_query_execution")
    assert (request["QueryExecutionContext"], request["WorkGroup"]) == ({"Database": "mail"}, "mail")
    assert "ResultConfiguration" not in request


def test_a_rejected_view_keeps_no_other_from_being_created() -> None:
    """The error names the view, with Athena's reason, once all others exist."""
    athena = FakeAthena()
    athena.refuses, athena.refused = "mismatched input", "CREATE OR REPLACE VIEW domain_counts "
    results = create_views(athena.client(), MINE)
    others = [file.name for file in sql_files("views") if file.name != "domain_counts"]
    assert [statement.split()[4] for statement in athena.statements] == others
    assert [result.name for result in results if result.failure] == ["domain_counts"]
    with pytest.raises(QueryFailed, match=rf"1 of {len(results)} views: domain_counts: .*mismatched input"):
        require_views(results)


def test_saving_queries_again_changes_nothing() -> None:
    """A second call neither duplicates nor updates a saved query."""
    athena = FakeAthena()
    names = [file.name for file in sql_files("queries")]
    assert create_queries(athena.client(), MINE) == names
    saved = dict(athena.queries)
    assert create_queries(athena.client(), MINE) == names
    assert athena.queries == saved
    assert "update_named_query" not in athena.operations()


def test_an_outdated_saved_query_is_updated() -> None:
    """A saved query of the same name gets the statement and description of the file."""
    athena = FakeAthena()
    athena.queries["old"] = a_query()
    create_queries(athena.client(), MINE)
    file = next(file for file in sql_files("queries") if file.name == "history_of_a_mail")
    query = athena.queries["old"]
    assert (query["QueryString"], query["Description"]) == (file.sql, file.description)


@pytest.mark.parametrize("other", [a_query(Name="of_the_analysts"), a_query(Database="another")])
def test_queries_of_other_users_are_kept(other: dict[str, Any]) -> None:
    """A saved query of another name or database is not changed."""
    athena = FakeAthena()
    athena.queries["other"] = dict(other)
    create_queries(athena.client(), MINE)
    assert athena.queries["other"] == other
    assert len(athena.queries) == 1 + len(sql_files("queries"))
