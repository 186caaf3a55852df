"""Tests of the checks of tenants and of unrecognized event types, against fakes of SES and CloudWatch."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest
from moto import mock_aws

from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, Severity
from pipeline.aws.doctor.operations import check_unrecognized
from pipeline.aws.doctor.tenants import check_tenants
from pipeline.aws.dynamodb import ensure_table
from pipeline.aws.stack import Stack
from tests.support.builders import ADA, BOB
from tests.support.deployed import OUTPUTS, TABLE
from tests.support.fake_account_list import FakeAccountList
from tests.support.fake_service import FakeService, client
from tests.support.one_deployment import clients_with

NOW = datetime(2026, 3, 8, 12, tzinfo=UTC)


class FakeTenants(FakeAccountList):
    """SES with tenants and their suppression attributes, by name."""

    def __init__(self, attributes: Mapping[str, Any], **options: Any) -> None:
        super().__init__({}, **{"tenants": dict.fromkeys(attributes)} | options)
        self._attributes = attributes

    def _get_tenant(self, *, TenantName: str) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        return {"Tenant": {"TenantName": TenantName, "SuppressionAttributes": self._attributes[TenantName]}}


class FakeCloudWatch(FakeService):
    """CloudWatch with a count of unrecognized events for each function."""

    SERVICE = "cloudwatch"

    def __init__(self, counts: Mapping[str, float]) -> None:
        super().__init__()
        self._counts = counts

    def _get_metric_statistics(self, **request: Any) -> dict[str, Any]:
        [dimension] = request["Dimensions"]
        number = self._counts.get(dimension["Value"], 0.0)
        return {"Datapoints": [{"Sum": number}] if number else []}


@pytest.fixture(autouse=True)
def _table() -> Iterator[None]:
    with mock_aws():
        ensure_table(client("dynamodb"), TABLE)
        yield


def a_deployment(max_identities: int = 30, **fakes: FakeService) -> Deployment:
    outputs = {name: str(value) for name, value in OUTPUTS.items()} | {"SuppressionTable": TABLE}
    stack = Stack(
        name="mail",
        id="arn:aws:cloudformation:eu-west-1:123456789012:stack/mail/6b2d",
        status="CREATE_COMPLETE",
        parameters={},
        outputs=outputs,
    )
    clients = clients_with(**{service: fake.client() for service, fake in fakes.items()})
    return Deployment(stack=stack, clients=clients, now=NOW, max_identities=max_identities)


def tenant_findings(ses: FakeAccountList, **options: Any) -> list[Finding]:
    return list(check_tenants(a_deployment(sesv2=ses, **options)))


@pytest.mark.parametrize(
    "attributes",
    [{}, {"SuppressionScope": "ACCOUNT", "SuppressedReasons": ["BOUNCE"]}],
)
def test_a_tenant_with_the_accounts_list_is_no_finding(attributes: Any) -> None:
    """Its mail is as safe as the account's."""
    assert tenant_findings(FakeTenants({"acme": attributes})) == []


def test_an_ses_without_tenants_is_no_finding() -> None:
    """Neither an account without tenants, nor an SES that knows none."""
    assert tenant_findings(FakeTenants({})) == tenant_findings(FakeTenants({}, tenants=None)) == []


@pytest.mark.parametrize("scope", ["ACCOUNT", "TENANT"])
def test_a_tenant_without_reasons_is_an_error(scope: str) -> None:
    """SES stops nothing, whatever the scope, and the remedy keeps the scope."""
    finding, *rest = tenant_findings(FakeTenants({"acme": {"SuppressionScope": scope, "SuppressedReasons": []}}))
    assert (finding.name, finding.severity) == ("tenant_suppression_off", Severity.ERROR)
    assert f"--tenant-name acme --suppression-scope {scope} --suppressed-reasons BOUNCE COMPLAINT" in finding.remedy
    assert [other.name for other in rest] == (["tenants_skip_account_list"] if scope == "TENANT" else [])


def test_a_tenants_own_list_is_compared_with_the_table() -> None:
    """Its mail skips the account's list, and its entries are counted, not named."""
    attributes = {"SuppressionScope": "TENANT", "SuppressedReasons": ["BOUNCE", "COMPLAINT"]}
    ses = FakeTenants({"acme": attributes}, tenants={"acme": {ADA: "BOUNCE", BOB: "COMPLAINT"}})
    [missing, skip] = tenant_findings(ses)
    assert (missing.name, missing.severity) == ("tenant_list_not_imported", Severity.WARNING)
    assert "of the 2 entries of the tenant acme's" in missing.message
    assert "import --tenant acme --stack mail" in missing.remedy
    assert (skip.name, skip.severity) == ("tenants_skip_account_list", Severity.WARNING)
    assert "lookup --scope acme" in skip.remedy
    assert "@" not in missing.message + skip.message


def test_tenants_beyond_the_limit_are_reported() -> None:
    """Each takes two seconds."""
    [finding] = tenant_findings(FakeTenants({"a": {}, "b": {}, "c": {}}), max_identities=1)
    assert (finding.name, finding.severity) == ("tenants_not_checked", Severity.UNKNOWN)
    assert "1 tenants were checked, 2 were not" in finding.message


@pytest.mark.parametrize("function", ["transform", "projector"])
def test_unrecognized_types_are_shown(function: str) -> None:
    """Either function's count is enough, and the remedy has the query that shows them."""
    cloudwatch = FakeCloudWatch({f"mail-{function}": 12.0})
    [finding] = check_unrecognized(a_deployment(cloudwatch=cloudwatch))
    assert (finding.name, finding.severity) == ("events_unrecognized", Severity.WARNING)
    assert finding.message.startswith("12 events of the last 7 days")
    assert "FROM events WHERE dt >= '2026-03-01'" in finding.remedy
    assert cloudwatch.asked("get_metric_statistics")["Namespace"] == "Mailfold"


def test_recognized_types_are_no_finding() -> None:
    """Another stack's count is not this one's."""
    assert list(check_unrecognized(a_deployment(cloudwatch=FakeCloudWatch({"other-projector": 1.0})))) == []
