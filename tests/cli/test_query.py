"""`mailfold query` writes a result as a table, CSV or JSON, and reports an error in one sentence."""

import csv
import io
import json
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from rich.console import Console

from pipeline.aws.archive.athena import QueryResult, ResultColumn
from pipeline.cli.query import OutputFormat, reads_every_day, write
from pipeline.cli.table import write_table
from pipeline.errors import UsageError
from tests.cli.test_ingest import a_bounce
from tests.support.cloud_process import CloudProcess
from tests.support.command import json_lines, run, run_failing, run_ok

ODD = 'a, "b"\nc ; [bold]d[/bold] :smile: ü \' \t'


def a_result(*rows: tuple[str | None, ...], remark: str = "", **columns: str) -> QueryResult:
    described = tuple(ResultColumn(name=name, type=type_) for name, type_ in columns.items())
    return QueryResult(columns=described, rows=rows, scanned_bytes=0, remark=remark)


def on_a_terminal(result: QueryResult, *, width: int) -> str:
    console = Console(file=io.StringIO(), width=width, markup=False, emoji=False, highlight=False)
    write_table(result, to=console)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


def test_json_is_one_object_per_row_with_json_types(cloud: CloudProcess) -> None:
    """JSON output has an object for each row, with numbers, booleans and null."""
    sql = "SELECT 1 AS a, 2.5 AS b, true AS c, 'x' AS d, CAST(NULL AS integer) AS e UNION ALL SELECT 2, 0, false, '', 3"
    expected = [
        {"a": 1, "b": 2.5, "c": True, "d": "x", "e": None},
        {"a": 2, "b": 0.0, "c": False, "d": "", "e": 3},
    ]
    assert expected == json_lines("query", f"{sql} ORDER BY 1", "--json")
    assert expected == json_lines("query", f"{sql} ORDER BY 1", "--format", "json")


def test_json_of_no_rows_is_empty(cloud: CloudProcess) -> None:
    """A result without rows prints nothing as JSON."""
    assert json_lines("query", "SELECT 1 AS a WHERE false", "--json") == []


def test_csv_can_be_read_back_unchanged(cloud: CloudProcess) -> None:
    """Quotes, commas and newlines in names and values survive CSV."""
    quoted = ODD.replace("'", "''")
    output = run_ok("query", f'SELECT \'{quoted}\' AS "a ""name"", odd", 1 AS b', "--format", "csv")
    assert list(csv.reader(io.StringIO(output, newline=""))) == [['a "name", odd', "b"], [ODD, "1"]]


def test_a_table_shows_plain_text_and_numbers_to_the_right(cloud: CloudProcess) -> None:
    """Markup in values is shown as it is, and numeric columns are aligned to the right."""
    result = run(
        "query",
        "SELECT ARRAY['ann@example.com'] AS recipients, 1000 AS n UNION ALL SELECT ARRAY['[b]:x:'], 1 ORDER BY 2",
    )
    assert result.stdout.splitlines() == [
        "┏━━━━━━━━━━━━━━━━━━━┳━━━━━━┓",
        "┃ recipients        ┃    n ┃",
        "┡━━━━━━━━━━━━━━━━━━━╇━━━━━━┩",
        "│ [[b]:x:]          │    1 │",
        "│ [ann@example.com] │ 1000 │",
        "└───────────────────┴──────┘",
    ]
    assert result.stderr == "2 rows, 0 bytes read\n"


def test_a_wide_table_is_whole_in_a_pipe(cloud: CloudProcess) -> None:
    """A table that is written to a pipe is never cut or folded."""
    output = run_ok("query", "SELECT " + ", ".join(f"'{'x' * 30}' AS column_number_{number}" for number in range(40)))
    assert output.count("x" * 30) == 40
    assert all(f"column_number_{number} " in output for number in range(40))


def test_a_terminal_gets_a_line_per_column_of_a_wide_result() -> None:
    """A result with more columns than the terminal has room for is printed row by row."""
    columns = {f"c{number}": "varchar" for number in range(30)}
    rows = [tuple(f"{row}-{number}" for number in range(30)) for row in range(2)]
    lines = on_a_terminal(a_result(*rows, **columns), width=80).splitlines()
    assert lines[:3] == ["row 1", "c0   0-0".ljust(80)[: len(lines[1])], "c1   0-1".ljust(80)[: len(lines[2])]]
    assert lines[31].startswith("row 2")


def test_a_terminal_gets_a_table_of_narrow_columns() -> None:
    """Many columns that are narrow enough remain one table."""
    columns = {f"c{number}": "bigint" for number in range(10)}
    assert "┏" in on_a_terminal(a_result(("1",) * 10, **columns), width=80)


def test_a_terminal_gets_long_values_folded() -> None:
    """A value that is longer than the terminal is wide is folded, not cut."""
    shown = on_a_terminal(a_result(("x" * 500,), a="varchar"), width=80)
    assert shown.count("x") == 500
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("form", OutputFormat)
def test_a_terminal_gets_no_control_characters(
    form: OutputFormat, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """No format writes a control character of a value or a name to a terminal."""
    monkeypatch.setattr("sys.stdout.isatty", lambda: True)
    monkeypatch.setenv("TERM", "dumb")
    write(a_result(("\x1b]0;owned\x07\x1b[2J\x9b31m\r",), **{"a\x1b[1m": "varchar"}), form)
    shown = capsys.readouterr().out
    assert "owned" in shown
    assert all(character.isprintable() or character == "\n" for character in shown)


def test_csv_for_a_program_is_exact(capsys: pytest.CaptureFixture[str]) -> None:
    """CSV that is written to a pipe has every character of the values."""
    write(a_result(("\x1b[2J",), a="varchar"), OutputFormat.CSV)
    assert capsys.readouterr().out == "a\n\x1b[2J\n"


def test_json_rejects_two_columns_of_one_name(cloud: CloudProcess) -> None:
    """Two columns of one name are a usage error as JSON, and fine as a table."""
    assert "two columns are named a" in run_failing("query", "SELECT 1 AS a, 2 AS a", "--json")
    assert "│ 1 │ 2 │" in run_ok("query", "SELECT 1 AS a, 2 AS a")


def test_nan_and_infinity_are_null_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """NaN and infinity are null, because JSON has no such numbers."""
    write(a_result(("NaN", "Infinity"), a="double", b="double"), OutputFormat.JSON)
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": None}


def test_large_numbers_are_exact_in_json(capsys: pytest.CaptureFixture[str]) -> None:
    """A bigint and a decimal lose no digit as JSON."""
    write(a_result(("9223372036854775807", "0.1"), a="bigint", b="decimal(38,1)"), OutputFormat.JSON)
    assert json.loads(capsys.readouterr().out) == {"a": 2**63 - 1, "b": "0.1"}


def test_json_has_json_as_it_is_and_names_what_is_text(cloud: CloudProcess) -> None:
    """A value of type json is part of the line, exactly. Athena's text for an array is ambiguous, so it stays text."""
    sql = "SELECT CAST(ARRAY['a, b', NULL] AS json) AS a, json_parse('{\"b\":\n 12345678901234567890123}') AS b"
    result = run("query", f"{sql}, ARRAY['a, b'] AS c, CAST(NULL AS json) AS d", "--json")
    assert result.stdout == '{"a":["a, b",null],"b":{"b":12345678901234567890123},"c":"[a, b]","d":null}\n'
    assert "as Athena's text, not as JSON: c; for JSON write CAST(c AS json)\n" in result.stderr
    assert "CAST" not in run("query", "SELECT ARRAY[1] AS c").stderr


def test_a_statement_may_begin_with_a_comment(cloud: CloudProcess) -> None:
    """A comment at the beginning is not taken for an option, and options may stand on either side of it."""
    for arguments in (["--json", "-- one\nSELECT 1 AS a"], ["--one\nSELECT 1 AS a", "--json"]):
        assert json_lines("query", *arguments) == [{"a": 1}]
    assert json_lines("query", "--json", "--", "-- one\nSELECT 1 AS a") == [{"a": 1}]
    assert "No such option: --jsn" in run("query", "--jsn", "-- one\nSELECT 1 AS a").stderr
    assert run("send", "--subject", "-- one", "--to", "success@example.com").exit_code == 0  # an option's value stays


def test_a_statement_is_read_from_a_file_or_standard_input(cloud: CloudProcess, tmp_path: Path) -> None:
    """A file may end in a semicolon and begin with a byte order mark, as editors write it."""
    (tmp_path / "one.sql").write_text("\ufeff-- one\nSELECT 1 AS a;\n", encoding="utf-8")
    assert json_lines("query", "--json", "-f", str(tmp_path / "one.sql")) == [{"a": 1}]
    assert json_lines("query", "--json", "-", stdin="SELECT 1 AS a") == [{"a": 1}]
    assert json_lines("query", "--json", "--file", "-", stdin="SELECT 1 AS a") == [{"a": 1}]


def test_a_file_that_holds_no_statement_is_refused(tmp_path: Path) -> None:
    """What is missing, no text, or larger than Athena allows is named before a cloud is looked for."""
    (tmp_path / "latin-1").write_bytes(b"SELECT 'caf\xe9'")
    for name, why in {"nothing": "No such file", "latin-1": "it is not UTF-8"}.items():
        assert f"{name}: {why}" in run_failing("query", "--file", str(tmp_path / name))
    assert "at most 262,144 bytes" in run_failing("query", "--file", "/dev/zero")
    assert "there is no SQL" in run_failing("query", "-")


@pytest.mark.parametrize(
    "arguments", [[], ["SELECT 1", "--file", "f"], ["--saved", "table_digest", "--file", "f"]], ids=" ".join
)
def test_exactly_one_statement_is_named(arguments: list[str]) -> None:
    """No SQL, or SQL from two places, is a usage error that names the ways to give it."""
    sentence = run_failing("query", *arguments)
    assert sentence == "which SQL? Write it as one argument, or name a file with --file, or a query with --saved"


def test_a_saved_query_runs_by_its_name(cloud: CloudProcess) -> None:
    """The queries that a deployment keeps in Athena run by name; of one address, with the address in any spelling."""
    address = f"{uuid4().hex[:8]}@example.com"
    run_ok("ingest", "-", stdin=json.dumps(a_bounce(address)))
    assert json_lines("query", "--json", "--saved", "addresses_by_fact")
    [fact] = json_lines("query", "--json", "--saved", "history_of_an_address", f"Ann <{address.upper()}>")
    assert (fact["fact"], fact["sub_type"]) == ("hard", "General")
    assert json_lines("query", "--json", "--saved", "history_of_a_mail", fact["message_id"])
    assert json_lines("query", "--json", "--saved", "history_of_an_address", "o'hara@example.com") == []


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["nothing"], "name one of addresses_by_fact, bounce_rate_by_day, "),
        (["history_of_a_mail"], "name it after the query"),
        (["table_digest", "SELECT 1"], "it takes no SQL"),
    ],
)
def test_a_saved_query_says_what_it_needs(arguments: list[str], sentence: str) -> None:
    """An unknown name lists the known ones. A query about one address needs it, and another takes nothing."""
    assert sentence in run_failing("query", "--saved", *arguments)


def test_of_many_skipped_objects_a_few_are_named(cloud: CloudProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is on a line of its own, and the last line has the number of the others."""
    remark = "; ".join(f"skipped s3://log/events/{number}: it is empty" for number in range(1_000))
    monkeypatch.setattr("pipeline.cli.query.query", lambda *_, **__: a_result(remark=remark))
    lines = run("query", "SELECT 1").stderr.splitlines()
    assert lines[4:] == ["skipped s3://log/events/4: it is empty", "and 995 more", "0 rows, 0 bytes read"]


@pytest.mark.parametrize(
    ("sql", "sentence"),
    [
        ("SELECT foo FROM events", 'line 1:8: Referenced column "foo" not found'),
        ("SELECT 1 +\n  FROM events WHERE (", "line 2:"),
        ("SELECT * FROM nothing", "line 1:15: Table with name nothing does not exist"),
        ("SELECT 1; SELECT 2", "one statement at a time"),
        ("DROP TABLE events", "only queries run here"),
        ("SELEC 1", "only queries run here"),
        ("", "there is no SQL"),
        (" \n", "there is no SQL"),
        ("/* nothing */", "the query failed"),
    ],
)
def test_invalid_sql_is_reported_with_its_place(cloud: CloudProcess, sql: str, sentence: str) -> None:
    """Invalid SQL leads to one sentence with the database's reason and place."""
    assert sentence in run_failing("query", sql, exit_code=2 if "no SQL" in sentence else 1)


def test_an_sql_error_contains_no_address(cloud: CloudProcess) -> None:
    """An error message does not repeat an address of the statement."""
    for sql in ('SELECT "ann@example.com" FROM events', "SELECT CAST('ann@example.com' AS integer)"):
        assert "ann@" not in run_failing("query", sql, exit_code=1)


def test_a_query_is_stopped_after_its_timeout(cloud: CloudProcess) -> None:
    """A query that runs longer than --timeout is stopped."""
    sql = "SELECT count(*) FROM UNNEST(sequence(1, 100000)) AS a(x) CROSS JOIN UNNEST(sequence(1, 1000000)) AS b(y)"
    sentence = run_failing("query", sql, "--timeout", "0.2", exit_code=5)
    assert "took more than 0.2 s" in sentence


@pytest.mark.parametrize("arguments", [["SELECT 1", "--format", "xml"], ["SELECT 1", "--timeout", "-1"]])
def test_invalid_options_are_usage_errors(arguments: list[str]) -> None:
    """An unknown format and a negative time-out are usage errors."""
    result = run("query", *arguments)
    assert result.exit_code == 2
    assert "Usage: mailfold query" in result.stderr


def test_the_views_can_be_queried(cloud: CloudProcess) -> None:
    """The local cloud has the log table and the packaged views."""
    names = {row["tab_name"] for row in json_lines("query", "SHOW TABLES", "--json")}
    assert {"events", "suppression_facts", "domain_counts"} <= names


def test_json_checks_column_names_before_it_writes(capsys: pytest.CaptureFixture[str]) -> None:
    """No row is written before the columns' names are checked."""
    result: Any = QueryResult(columns=(ResultColumn(name="a", type="varchar"),) * 2, rows=[("1", "2")], scanned_bytes=0)
    with pytest.raises(UsageError):
        write(result, OutputFormat.JSON)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("limit", ["9MB", "0", "ten", "-1"])
def test_a_scan_limit_below_the_minimum_charge_is_rejected(limit: str) -> None:
    """A --max-scan that is no size, or below Athena's minimum charge, is a usage error."""
    assert "MB" in run_failing("query", "SELECT 1", "--max-scan", limit)


@pytest.mark.parametrize(
    ("sql", "all_days"),
    [
        ("SELECT * FROM events", True),
        ("select count(*) from \"Events\" where event_type = 'send'", True),
        ("SELECT * FROM events WHERE dt = '2026-03-01'", False),
        ("SELECT * FROM mails", False),
        ("SHOW CREATE TABLE events", False),
        ("DESCRIBE events", False),
        ("SELECT 1", False),
    ],
)
def test_a_statement_without_a_filter_on_days_is_recognized(sql: str, all_days: bool) -> None:
    """Only a statement that reads the log without naming `dt` reads every day."""
    assert reads_every_day(sql, table="events") == all_days
