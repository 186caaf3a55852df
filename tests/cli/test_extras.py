"""A plain installation says what it lacks."""

import sys

import pytest
from typer.testing import CliRunner

from pipeline.cli.main import app


@pytest.mark.parametrize(
    ("arguments", "missing"), [(["demo"], "pipeline.local.cloud"), (["up"], "pipeline.local.cloud")]
)
def test_a_command_whose_libraries_are_not_installed_names_the_extra(
    arguments: list[str], missing: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    result = CliRunner().invoke(app, arguments)
    assert result.exit_code == 1
    assert "pip install 'mailfold[local]'" in result.stderr
