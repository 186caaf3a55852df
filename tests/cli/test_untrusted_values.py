"""Values that strangers write, in what the commands print and in the SQL that they run."""

import csv
import io
import json

import pytest

from pipeline.aws.archive.athena import QueryResult, ResultColumn
from pipeline.cli.output import json_line, printable
from pipeline.cli.query import OutputFormat, write
from pipeline.cli.statement import read_statement

HOSTILE = [
    "\x1b]8;;https://evil.example\x07click\x1b]8;;\x07",  # a link of OSC 8
    "\x9b2J\x7f\r\n\x00",
    "\u202egpj.exe\u2066\u2069\u200f",  # an override and isolates of direction
    "[red]markup[/] [link=https://evil.example]x[/link] :skull:",
    '=HYPERLINK("https://evil.example")',
    "+1",
    "-1",
    "@SUM(1)",
    '{"level":"ERROR"}\n{"forged":true}',
    "\U000e0041\u2028\ufeff",
]


@pytest.mark.parametrize("text", HOSTILE)
def test_json_is_one_printable_line_with_the_exact_value(text: str) -> None:
    """No value begins a line of its own, controls the terminal or reverses text; a program reads it unchanged."""
    line = json_line({text: text}).decode()
    assert line[:-1].isprintable()
    assert json.loads(line) == {text: text}


@pytest.mark.parametrize("text", HOSTILE)
def test_a_line_for_people_is_printable(text: str) -> None:
    """Controls and marks of direction are replaced; markup is text."""
    assert printable(text).isprintable()


@pytest.mark.parametrize("text", [text for text in HOSTILE if "\r" not in text])
def test_csv_has_the_exact_value(text: str, capsys: pytest.CaptureFixture[str]) -> None:
    """A prefix against formulas would change addresses, which may begin with = or +, and lose a suppression."""
    columns = (ResultColumn(name="a", type="varchar"),)
    write(QueryResult(columns=columns, rows=((text,),), scanned_bytes=0, remark=""), OutputFormat.CSV)
    assert list(csv.reader(io.StringIO(capsys.readouterr().out, newline=""))) == [["a"], [text]]


@pytest.mark.parametrize("subject", ["x' OR '1'='1", "x'; DROP TABLE events; --", "\\' OR true --"])
def test_the_subject_of_a_saved_query_stays_a_text(subject: str) -> None:
    """Quotes are doubled, and SQL has no other escape in a text."""
    statement = read_statement(subject, file=None, saved="history_of_a_mail")
    assert "'" + subject.replace("'", "''") + "'" in statement
