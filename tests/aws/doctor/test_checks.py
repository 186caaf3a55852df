"""Tests of running the checks: whatever one of them meets, the others run."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import NoReturn

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from pipeline.aws.clients import Clients
from pipeline.aws.doctor.checks import CHECKS, Check, CheckFunction, CheckResult, run_checks
from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, Severity, error, warning
from pipeline.aws.stack import Stack
from pipeline.errors import UsageError


def no_client(service: str) -> NoReturn:
    raise AssertionError(f"no check here calls {service}")


def a_deployment(status: str = "CREATE_COMPLETE") -> Deployment:
    stack_id = "arn:aws:cloudformation:eu-west-1:123456789012:stack/mail/6b2d"
    stack = Stack(name="mail", id=stack_id, status=status, parameters={}, outputs={})
    return Deployment(stack=stack, clients=Clients(no_client), now=datetime(2026, 3, 1, tzinfo=UTC))


def a_check(*functions: CheckFunction) -> tuple[Check]:
    return (Check(name="bridge", ok_message="it carries", functions=functions),)


def finds(*findings: Finding) -> CheckFunction:
    return lambda _: iter(findings)


def raises(error: Exception) -> CheckFunction:
    """Return a function that finds something and then fails."""

    def check_something(_: Deployment) -> Iterator[Finding]:
        yield warning("first", "found before the failure")
        raise error

    return check_something


def has_error(result: CheckResult) -> bool:
    return Severity.ERROR in {finding.severity for finding in result.findings}


def test_check_without_findings_is_ok() -> None:
    """A check that finds no problem yields its OK message."""
    [result] = run_checks(a_deployment(), a_check(finds(), finds()))
    assert [(finding.severity, finding.message) for finding in result.findings] == [(Severity.OK, "it carries")]
    assert not has_error(result)


def test_findings_of_all_functions_are_reported() -> None:
    """A result contains the findings of every function, in order."""
    [result] = run_checks(a_deployment(), a_check(finds(warning("a", "a")), finds(), finds(error("b", "b"))))
    assert [finding.name for finding in result.findings] == ["a", "b"]
    assert has_error(result)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetRole"), "not_checked"),
        (ClientError({"Error": {"Code": "Throttling", "Message": "no"}}, "GetRole"), "not_checked"),
        (ClientError({"Error": {"Code": "InvalidAction", "Message": "no"}}, "GetRole"), "not_checked"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1"), "not_checked"),
        (UsageError("the stack has no output"), "not_checked"),
        (KeyError("Role"), "unexpected_response"),
        (AttributeError("get"), "unexpected_response"),
        (ValueError("policy"), "unexpected_response"),
    ],
)
def test_failing_check_is_reported_and_stops_nothing(error: Exception, name: str) -> None:
    """Findings before the failure stay, and later functions still run."""
    [result] = run_checks(a_deployment(), a_check(raises(error), finds(warning("last", "still checked"))))
    assert [finding.name for finding in result.findings] == ["first", name, "last"]
    assert result.findings[1].severity is Severity.UNKNOWN
    assert not has_error(result)


def test_names_of_checks_are_unique() -> None:
    """Programs can distinguish checks by name."""
    assert len({check.name for check in CHECKS}) == len(CHECKS)


@pytest.mark.parametrize(
    ("status", "name"),
    [
        ("UPDATE_COMPLETE", ""),
        ("UPDATE_ROLLBACK_COMPLETE", "stack_rolled_back"),
        ("UPDATE_IN_PROGRESS", "stack_changing"),
        ("ROLLBACK_COMPLETE", "stack_failed"),
        ("UPDATE_ROLLBACK_FAILED", "stack_failed"),
        ("DELETE_FAILED", "stack_failed"),
    ],
)
def test_status_of_the_stack(status: str, name: str) -> None:
    """Each status that is not a success has a finding."""
    checks = tuple(check for check in CHECKS if check.name == "stack")
    [result] = run_checks(a_deployment(status), checks)
    assert [finding.name for finding in result.findings] == [name]
