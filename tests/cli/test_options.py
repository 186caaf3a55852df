"""Quantities are read as people write them, and any other text is rejected."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.cli.options import parse_quantity
from pipeline.cli.output import size
from pipeline.errors import UsageError

GOOD = {"10GB": 10**10, "500 MB": 5 * 10**8, "1.5gb": 1_500_000_000, "2GiB": 2**31, "1TiB": 2**40, "64": 64, " 3B ": 3}


@pytest.mark.parametrize(("text", "size_bytes"), GOOD.items())
def test_a_quantity_is_read(text: str, size_bytes: int) -> None:
    """A quantity with any decimal or binary unit, or none, is read as bytes."""
    assert parse_quantity(text) == size_bytes


@pytest.mark.parametrize(
    "text", ["", "GB", "-1GB", "10 G B", "10XB", "1,000", "1e9", "nan", "ten", "1G", "٣GB", "\x1b[31m"]
)
def test_any_other_text_is_no_quantity(text: str) -> None:
    """A text that is not a number with a known unit is a usage error."""
    with pytest.raises(UsageError, match="not a number of bytes"):
        parse_quantity(text)


@given(st.integers(0, 10**15))
def test_a_number_without_a_unit_is_bytes(size_bytes: int) -> None:
    """A whole number without a unit is read as that many bytes."""
    assert parse_quantity(str(size_bytes)) == size_bytes


@given(st.integers(0, 999), st.sampled_from(["MB", "GB", "TB"]))
def test_a_printed_size_can_be_typed(number: int, unit: str) -> None:
    """A size is read back as it is printed."""
    size_bytes = parse_quantity(f"{number}{unit}")
    if size_bytes >= 1_000:
        assert parse_quantity(size(size_bytes)) == size_bytes
