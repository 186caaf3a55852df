"""The doctor counts leftovers, and the command that it names returns them to the pipeline."""

import re
import shlex
from datetime import UTC, datetime

import boto3
import pytest
from msgspec import structs

from pipeline.aws.clients import Clients, create_client
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding
from pipeline.aws.doctor.leftovers import (
    MAX_COUNTED_OBJECTS,
    check_dead_letters,
    check_delivery_errors,
    check_failed_batches,
    check_quarantine,
)
from pipeline.aws.stack import deployed_stack
from tests.support.command import run_ok
from tests.support.deployed import NAME, REGION
from tests.support.deployed_leftovers import AFirehose, put
from tests.support.leftovers import a_quarantine_object

CHECKS = (check_quarantine, check_failed_batches, check_delivery_errors, check_dead_letters)


def found() -> dict[str, list[Finding]]:
    """Return the findings about leftovers, by name."""
    stack = deployed_stack(boto3.client("cloudformation"), name=NAME)
    outputs = {**stack.outputs, "FeedbackRule": f"{NAME}-feedback"}
    deployment = Deployment(
        stack=structs.replace(stack, outputs=outputs),
        clients=Clients(create_client),
        now=datetime.now(UTC),
    )
    findings: dict[str, list[Finding]] = {}
    for check in CHECKS:
        for finding in check(deployment):
            findings.setdefault(finding.name, []).append(finding)
    findings.pop("dead_letters_denied", None)  # the queues of this deployment have no policy
    return findings


def test_the_doctor_counts_leftovers_and_its_command_returns_them(leftovers: AFirehose) -> None:
    """Every place is an error with its number; after the commands that the doctor names, there is none."""
    findings = found()
    assert {name: len(each) for name, each in findings.items()} == {
        "quarantine_not_empty": 1,
        "failed_batches_not_empty": 1,
        "delivery_errors_not_empty": 1,
        "dead_letters_not_empty": 2,
    }
    assert (
        "batches of feedback that Lambda stopped retrying: 2 objects" in findings["failed_batches_not_empty"][0].message
    )
    for finding in (finding for each in findings.values() for finding in each):
        commands = re.findall(r"mailfold (quarantine (?:list|redrive) [^,]+)", finding.remedy)
        assert len(commands) == 2
        for command in commands:
            run_ok(*shlex.split(command))
    assert found() == {}


def test_without_leftovers_the_doctor_finds_nothing(firehose: AFirehose) -> None:
    """A queue or a prefix without objects is no finding."""
    assert found() == {}


@pytest.mark.slow
def test_the_doctor_counts_one_page(firehose: AFirehose) -> None:
    """Of many objects it says that there are more, and lists no further page."""
    for number in range(MAX_COUNTED_OBJECTS + 1):
        put(f"quarantine/{number:04}.json", a_quarantine_object(b"%d" % number))
    [finding] = found()["quarantine_not_empty"]
    assert "1,000 or more objects" in finding.message
    assert f"--region {REGION}" in finding.remedy
