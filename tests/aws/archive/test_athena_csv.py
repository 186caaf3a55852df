"""Athena's CSV: what is written is read back, whatever the values hold."""

from hypothesis import given
from hypothesis import strategies as st

from pipeline.aws.archive.athena_csv import Row, csv_line, read_csv

VALUES = st.none() | st.text(st.sampled_from('a",\n\r\\é\x00 ')) | st.text(st.characters(codec="utf-8"))


@given(st.integers(1, 4).flatmap(lambda width: st.lists(st.tuples(*[VALUES] * width))))
def test_rows_are_read_back(rows: list[Row]) -> None:
    """A null is no empty text, and a line end in a value ends no row."""
    text = "".join(map(csv_line, rows))
    lines = [f"{line}\n" for line in text.split("\n")[:-1]]
    assert list(read_csv(lines)) == rows


def test_a_file_of_athena_is_read() -> None:
    """As in AWS's documentation: each value in quotes, nothing for null."""
    assert list(read_csv(['"a","b"\n', '"1",\n', ',"say ""hi"""\n', '"",""\n'])) == [
        ("a", "b"),
        ("1", None),
        (None, 'say "hi"'),
        ("", ""),
    ]
