"""A double becomes the text that Trino, which is Java, makes of it."""

from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.local.athena import Athena
from tests.support.log_in_s3 import athena_over


@pytest.fixture(scope="module")
def athena() -> Iterator[Athena]:
    with athena_over() as athena:
        yield athena


@given(number=st.floats(allow_nan=False, allow_infinity=False))
def test_a_cast_and_a_result_have_the_same_text(athena: Athena, number: float) -> None:
    """Whatever its size and its sign."""
    literal = f"{number:.17e}"
    [(as_text, as_result)] = athena.run(f"SELECT CAST({literal} AS varchar), {literal}").rows
    assert as_text == as_result
