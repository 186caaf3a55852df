"""An examination goes on whatever one check meets."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any, NoReturn

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError

from pipeline.aws.doctor.checks import LINKS, Check, CheckFunction, CheckResult, run_checks
from pipeline.aws.doctor.deployment import Deployment, connect_deployment
from pipeline.aws.doctor.finding import Finding, Severity, error, warning
from pipeline.aws.stack import Stack
from pipeline.errors import UsageError

STACK = Stack(
    name="mail",
    id="arn:aws:cloudformation:eu-west-1:123456789012:stack/mail/6b2d",
    status="CREATE_COMPLETE",
    parameters={},
    outputs={},
)


def no_client(_: Any) -> NoReturn:
    raise AssertionError("no service is asked here")


def a_deployment(**changes: Any) -> Deployment:
    return Deployment(
        stack=changes.pop("stack", STACK), client=changes.pop("client", no_client), now=datetime(2026, 3, 1, tzinfo=UTC)
    )


def a_link(*checks: CheckFunction) -> tuple[Check]:
    return (Check(name="bridge", promise="it carries", checks=checks),)


def finds(*findings: Finding) -> CheckFunction:
    return lambda _: iter(findings)


def is_faulty(examined: CheckResult) -> bool:
    return Severity.FAULT in {finding.severity for finding in examined.findings}


def raises(error: Exception) -> CheckFunction:
    def check(_: Deployment) -> Iterator[Finding]:
        yield warning("first", "seen before it broke")
        raise error

    return check


def test_a_link_of_which_nothing_is_found_is_good() -> None:
    [examined] = run_checks(a_deployment(), a_link(finds(), finds()))
    assert [(one.severity, one.words) for one in examined.findings] == [(Severity.GOOD, "it carries")]
    assert not is_faulty(examined)


def test_what_several_checks_find_stands_together() -> None:
    [examined] = run_checks(a_deployment(), a_link(finds(warning("a", "a")), finds(), finds(error("b", "b"))))
    assert [finding.name for finding in examined.findings] == ["a", "b"]
    assert is_faulty(examined)


@pytest.mark.parametrize(
    ("error", "name"),
    [
        (ClientError({"Error": {"Code": "AccessDenied", "Message": "no"}}, "GetRole"), "not_looked_at"),
        (ClientError({"Error": {"Code": "Throttling", "Message": "no"}}, "GetRole"), "not_looked_at"),
        (ClientError({"Error": {"Code": "InvalidAction", "Message": "no"}}, "GetRole"), "not_looked_at"),
        (EndpointConnectionError(endpoint_url="http://127.0.0.1"), "not_looked_at"),
        (UsageError("the stack has no output"), "not_looked_at"),
        (KeyError("Role"), "not_understood"),
        (AttributeError("get"), "not_understood"),
        (ValueError("policy"), "not_understood"),
    ],
)
def test_a_check_that_breaks_is_told_and_stops_nothing(error: Exception, name: str) -> None:
    """What it saw before stays, and later checks still look."""
    [examined] = run_checks(a_deployment(), a_link(raises(error), finds(warning("last", "still looked"))))
    assert [finding.name for finding in examined.findings] == ["first", name, "last"]
    assert examined.findings[1].severity is Severity.UNKNOWN
    assert not is_faulty(examined)


def test_every_link_has_a_name_of_its_own() -> None:
    assert len({link.name for link in LINKS}) == len(LINKS)


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
def test_how_cloudformation_ended(status: str, name: str) -> None:
    stack = Stack(name="mail", id=STACK.id, status=status, parameters={}, outputs={})
    links = tuple(link for link in LINKS if link.name == "stack")
    [examined] = run_checks(a_deployment(stack=stack), links)
    assert [finding.name for finding in examined.findings] == [name]


class FakeEvents:
    """The hooks of a client."""

    def __init__(self) -> None:
        self.hooks: dict[str, Callable[..., None]] = {}

    def register(self, event: str, hook: Callable[..., None]) -> None:
        self.hooks[event] = hook


class FakeClient:
    def __init__(self) -> None:
        self.meta = self
        self.events = FakeEvents()


def test_ses_is_asked_no_more_than_once_a_second() -> None:
    """However many checks ask; and a slow answer counts."""
    waits: list[float] = []
    now = 100.0

    def wait(seconds: float) -> None:
        nonlocal now
        waits.append(seconds)
        now += seconds

    client = connect_deployment(lambda _: FakeClient(), clock=lambda: now, wait=wait)
    assert client("sesv2") is client("sesv2")
    ask = client("sesv2").events.hooks["before-call.sesv2"]
    ask()
    ask()
    now += 0.25
    ask()
    now += 5
    ask()
    assert waits == [1.0, 0.75]
    assert client("s3").events.hooks == {}
