"""Metrics that functions and consumer publish, for the tests of alarms and dashboard."""

import json
import subprocess
import sys

import pytest

from tests.support.cloudformation import FILE, consumed_by

Metric = tuple[str, str, str]
"""Namespace, name, and the service that publishes it."""


@pytest.fixture(scope="session")
def published_by() -> dict[str, set[Metric]]:
    """Metrics by logical id, published in the template's environment, in the one dimension `service`."""
    return {
        name: {metric for line in _printed(name, environment) for metric in _metrics(line)}
        for name, environment in environments().items()
    }


@pytest.fixture(scope="session")
def published(published_by: dict[str, set[Metric]]) -> set[Metric]:
    """All metrics that are published."""
    return set().union(*published_by.values())


def environments() -> dict[str, dict[str, str]]:
    """Return the environments of the functions and of the container, by logical id."""
    stack = consumed_by("container")
    (container,) = stack.properties("ConsumerTask")["ContainerDefinitions"]
    functions = stack.of_type("AWS::Lambda::Function")
    return {
        **{name: properties["Environment"]["Variables"] for name, properties in functions.items()},
        "ConsumerTask": {variable["Name"]: variable["Value"] for variable in container["Environment"]},
    }


def _printed(name: str, environment: dict[str, str]) -> list[dict[str, object]]:
    """Return the lines that a function prints in the embedded metric format."""
    command = [sys.executable, "-m", "tests.support.publication", name]
    process = subprocess.run(  # noqa: S603 - this very interpreter
        command, env=environment, cwd=FILE.parents[1], capture_output=True, check=True, text=True, timeout=300
    )
    return [json.loads(line) for line in process.stdout.splitlines() if '"_aws"' in line]


def _metrics(line: dict[str, object]) -> set[Metric]:
    directives = line["_aws"]["CloudWatchMetrics"]  # type: ignore[index]  # JSON in the embedded metric format
    assert all(directive["Dimensions"] == [["service"]] for directive in directives)
    return {
        (directive["Namespace"], metric["Name"], str(line["service"]))
        for directive in directives
        for metric in directive["Metrics"]
    }
