"""What the functions publish, for the tests of alarms and dashboard."""

import json
import subprocess
import sys

import pytest

from tests.infra.cloudformation import FILE, stack

Metric = tuple[str, str, str]
"""Namespace, name, and the function that publishes it."""


@pytest.fixture(scope="session")
def published() -> set[Metric]:
    """Return every metric that the functions publish in the template's environment, in the one dimension `service`."""
    functions = stack().of_type("AWS::Lambda::Function")
    return {
        metric
        for name, properties in functions.items()
        for line in _printed(name, properties["Environment"]["Variables"])
        for metric in _metrics(line)
    }


def _printed(name: str, environment: dict[str, str]) -> list[dict[str, object]]:
    """Return what a function prints in the embedded metric format."""
    command = [sys.executable, "-m", "tests.infra.publication", name]
    done = subprocess.run(  # noqa: S603
        command, env=environment, cwd=FILE.parents[1], capture_output=True, check=True, text=True, timeout=60
    )
    return [json.loads(line) for line in done.stdout.splitlines() if '"_aws"' in line]


def _metrics(line: dict[str, object]) -> set[Metric]:
    directives = line["_aws"]["CloudWatchMetrics"]  # type: ignore[index]
    assert all(directive["Dimensions"] == [["service"]] for directive in directives)
    return {
        (directive["Namespace"], metric["Name"], str(line["service"]))
        for directive in directives
        for metric in directive["Metrics"]
    }
