"""Tests of the check of the last drill."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from moto import mock_aws

from pipeline.aws.archive.proof import save_proof
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Severity
from pipeline.aws.doctor.proof import check_proof
from pipeline.aws.dynamodb import ensure_table
from pipeline.aws.stack import Stack
from pipeline.drill import DrillResult
from tests.support.deployed import OUTPUTS, TABLE
from tests.support.fake_service import REGION, client
from tests.support.one_deployment import clients_with

NOW = datetime.now(UTC)
BUCKET = "mailfold-log"
DAY = timedelta(days=1)
EQUAL, LACKING, EXTRA = DrillResult(), DrillResult(missing=1, stale=2), DrillResult(extra=3)


@pytest.fixture(autouse=True)
def _log_and_table() -> Iterator[None]:
    with mock_aws():
        ensure_table(client("dynamodb"), TABLE)
        client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield


def a_deployment(*, days_later: float = 0) -> Deployment:
    outputs = {name: str(value) for name, value in OUTPUTS.items()}
    outputs |= {"SuppressionTable": TABLE, "LogBucket": BUCKET}
    stack_id = "arn:aws:cloudformation:eu-west-1:123456789012:stack/mail/6b2d"
    stack = Stack(name="mail", id=stack_id, status="CREATE_COMPLETE", parameters={}, outputs=outputs)
    return Deployment(stack=stack, clients=clients_with(), now=NOW + days_later * DAY)


def found(*, days_later: float = 0) -> list[tuple[str, Severity]]:
    """Return name and severity of each finding that is not OK."""
    findings = list(check_proof(a_deployment(days_later=days_later)))
    problems = [finding for finding in findings if finding.severity is not Severity.OK]
    assert all(finding.remedy.startswith("mailfold ") and "--stack mail" in finding.remedy for finding in problems)
    assert not any("@" in finding.message for finding in findings)
    return [(finding.name, finding.severity) for finding in problems]


def drilled(*results: DrillResult) -> None:
    """Save the results of a drill a day, the last of them now."""
    last = None
    for days, result in zip(range(len(results) - 1, -1, -1), results, strict=True):
        drilled_at = NOW - days * DAY
        last = save_proof(client("s3"), bucket=BUCKET, table=TABLE, result=result, drilled_at=drilled_at, last=last)


@pytest.mark.parametrize(
    ("days_later", "expected"), [(0, []), (13, []), (15, [("table_never_proved", Severity.WARNING)])]
)
def test_a_table_without_a_drill_is_reported_once_it_is_old(
    days_later: float, expected: list[tuple[str, Severity]]
) -> None:
    """A new deployment waits for the first drill of its schedule."""
    assert found(days_later=days_later) == expected


@pytest.mark.parametrize(("days_later", "expected"), [(14, []), (15, [("table_proof_old", Severity.WARNING)])])
def test_a_proof_is_reported_once_it_is_old(days_later: float, expected: list[tuple[str, Severity]]) -> None:
    """Two drills were missed."""
    drilled(LACKING, EQUAL)

    assert found(days_later=days_later) == expected


def test_the_age_of_a_proof_is_printed() -> None:
    """In days."""
    drilled(EQUAL)

    [finding] = check_proof(a_deployment(days_later=2.5))
    assert (finding.severity, finding.message) == (
        Severity.OK,
        "the table was proved equal to the log 2.5 days ago",
    )


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        (LACKING, [("table_lacks_facts", Severity.ERROR)]),
        (EXTRA, [("log_lacks_facts", Severity.WARNING)]),
    ],
)
def test_the_differences_of_the_last_drill_are_reported(
    result: DrillResult, expected: list[tuple[str, Severity]]
) -> None:
    """With the command that heals them, until a drill finds none."""
    drilled(EQUAL, result)
    assert found() == expected

    drilled(EQUAL, result, EQUAL)
    assert found() == []


def test_a_missing_table_is_another_checks_finding() -> None:
    """Nothing is reported twice."""
    client("dynamodb").delete_table(TableName=TABLE)

    assert found(days_later=99) == []
