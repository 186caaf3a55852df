"""A Lambda starts often: what it does not need must not cost it time, nor a place in its package."""

import subprocess
import sys

import pytest

HEAVY = ("boto3", "pyarrow", "duckdb", "sqlglot", "pydantic", "typer", "rich", "moto")


@pytest.mark.parametrize("module", ["pipeline.aws.transform", "pipeline.aws.projector_lambda"])
def test_importing_a_handler_loads_nothing_heavy_and_makes_no_client(module: str) -> None:
    program = f"import sys, {module}; print([name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True, timeout=60)  # noqa: S603
    assert done.stdout.strip() == "[]"
