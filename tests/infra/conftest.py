"""Metrics that functions and consumer publish, for the tests of alarms and dashboard."""

import json
import subprocess
import sys

import pytest

from pipeline.aws.archive.proof import Proof
from pipeline.aws.reconciliation import SERVICE_SUFFIX, drill_metrics, reconcile_metrics
from pipeline.aws.settings import NAMESPACE
from pipeline.drill import DrillResult
from pipeline.reconcile import ReconcileResult
from tests.support.builders import OCCURRED_AT
from tests.support.cloudformation import FILE, NAME, consumed_by

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
    """All metrics that are published: by functions, the consumer, and the commands `reconcile` and `drill`."""
    proof = Proof(table="", drilled_at=OCCURRED_AT, proved_at=None, result=DrillResult())
    values = reconcile_metrics(ReconcileResult(), surges=0, proof=proof, now=OCCURRED_AT)
    by_commands = {(NAMESPACE, name, f"{NAME}-{SERVICE_SUFFIX}") for name in values | drill_metrics(proof, OCCURRED_AT)}
    return by_commands.union(*published_by.values())


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
