"""Tenants by boto3's `sesv2`: their mail is tagged, and each may have its own suppression list."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipeline.event import EventKind
from pipeline.fact import facts
from pipeline.standing import EVERY_SCOPE
from tests.support.ses_cloud import MESSAGE, SENDER, TO_ANN, SesCloud, tag

CONTENT: Any = {"Simple": MESSAGE}
OWN_LIST: Any = {"SuppressionScope": "TENANT", "SuppressedReasons": ["BOUNCE", "COMPLAINT"]}
LISTED = "bounce+listed@example.com"


@pytest.fixture(autouse=True)
def _no_tenants(cloud: SesCloud) -> Iterator[None]:
    yield
    for tenant in cloud.sesv2.list_tenants()["Tenants"]:
        cloud.sesv2.delete_tenant(TenantName=tenant["TenantName"])
    for entry in cloud.sesv2.list_suppressed_destinations()["SuppressedDestinationSummaries"]:
        cloud.sesv2.delete_suppressed_destination(EmailAddress=entry["EmailAddress"])


def send(cloud: SesCloud, address: str, **request: Any) -> list[tuple[EventKind, str | None]]:
    """Send a mail, and return the kinds and sub-types of its events."""
    cloud.records.clear()
    cloud.sesv2.send_email(FromEmailAddress=SENDER, Destination={"ToAddresses": [address]}, Content=CONTENT, **request)
    return [(event.kind, getattr(event.details, "bounce_sub_type", None)) for event in cloud.events()]


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def test_a_tenants_mail_is_tagged(cloud: SesCloud) -> None:
    """Every event of it has the tenant's name; other mail has no such tag."""
    cloud.sesv2.create_tenant(TenantName="acme")
    send(cloud, "complaint+ann@example.com", TenantName="acme")
    assert {tuple(tag(event, "ses:tenant-name") or ()) for event in cloud.events()} == {("acme",)}
    [complaint] = [fact for event in cloud.events() for fact in facts(event)]
    assert complaint.key.scope == "acme"
    send(cloud, "bounce+ann@example.com")
    assert {tag(event, "ses:tenant-name") for event in cloud.events()} == {None}
    assert {fact.key.scope for event in cloud.events() for fact in facts(event)} == {EVERY_SCOPE}


def test_a_tenants_bulk_mail_is_tagged(cloud: SesCloud) -> None:
    """Templates and bulk mail name the tenant too."""
    cloud.sesv2.create_tenant(TenantName="acme")
    content: Any = {"Subject": "Hello", "Text": "one"}
    cloud.sesv2.create_email_template(TemplateName="tenants", TemplateContent=content)
    cloud.records.clear()
    template: Any = {"Template": {"TemplateName": "tenants", "TemplateData": "{}"}}
    cloud.sesv2.send_email(FromEmailAddress=SENDER, Destination=TO_ANN, Content=template, TenantName="acme")
    entries: Any = [{"Destination": TO_ANN}]
    cloud.sesv2.send_bulk_email(
        FromEmailAddress=SENDER, DefaultContent=template, BulkEmailEntries=entries, TenantName="acme"
    )
    assert [tag(event, "ses:tenant-name") for event in cloud.events()] == [["acme"]] * 4


def test_an_unknown_tenant_cannot_send(cloud: SesCloud) -> None:
    """SES rejects the mail, and no event is published."""
    with pytest.raises(ClientError) as error:
        send(cloud, "ann@example.com", TenantName="missing")
    assert (code_of(error), cloud.records) == ("NotFoundException", [])


def test_a_tenant_has_its_own_list(cloud: SesCloud) -> None:
    """Its bounces list an address there alone, and the account's list does not stop its mail."""
    cloud.sesv2.create_tenant(TenantName="acme", SuppressionAttributes=OWN_LIST)
    cloud.sesv2.put_suppressed_destination(EmailAddress="bob@example.com", Reason="BOUNCE")
    assert send(cloud, "bob@example.com", TenantName="acme")[-1] == (EventKind.DELIVERY, None)
    send(cloud, LISTED, TenantName="acme")
    assert send(cloud, LISTED, TenantName="acme")[-1] == (EventKind.BOUNCE, "OnTenantSuppressionList")
    assert send(cloud, LISTED)[-1] == (EventKind.BOUNCE, "General")
    [entry] = cloud.sesv2.list_suppressed_destinations(TenantName="acme")["SuppressedDestinationSummaries"]
    assert (entry["EmailAddress"], entry["Reason"]) == (LISTED, "BOUNCE")
    cloud.sesv2.delete_suppressed_destination(EmailAddress=LISTED, TenantName="acme")
    assert cloud.sesv2.list_suppressed_destinations(TenantName="acme")["SuppressedDestinationSummaries"] == []


def test_without_reasons_no_list_stops_a_tenants_mail(cloud: SesCloud) -> None:
    """Nor is an address added to one."""
    cloud.sesv2.create_tenant(TenantName="acme")
    cloud.sesv2.put_tenant_suppression_attributes(TenantName="acme", SuppressionScope="ACCOUNT", SuppressedReasons=[])
    for _ in range(2):
        assert send(cloud, LISTED, TenantName="acme")[-1] == (EventKind.BOUNCE, "General")


def test_attributes_are_read_back_and_cleared(cloud: SesCloud) -> None:
    """A tenant that returns to the account's list keeps its own for later."""
    cloud.sesv2.create_tenant(TenantName="acme", SuppressionAttributes=OWN_LIST)
    cloud.sesv2.put_suppressed_destination(EmailAddress="bob@example.com", Reason="BOUNCE", TenantName="acme")
    assert cloud.sesv2.get_tenant(TenantName="acme")["Tenant"]["SuppressionAttributes"] == OWN_LIST
    cloud.sesv2.put_tenant_suppression_attributes(TenantName="acme")
    assert "SuppressionAttributes" not in cloud.sesv2.get_tenant(TenantName="acme")["Tenant"]
    with pytest.raises(ClientError) as error:
        cloud.sesv2.list_suppressed_destinations(TenantName="acme")
    assert code_of(error) == "BadRequestException"
    cloud.sesv2.put_tenant_suppression_attributes(TenantName="acme", **OWN_LIST)
    assert len(cloud.sesv2.list_suppressed_destinations(TenantName="acme")["SuppressedDestinationSummaries"]) == 1


def test_tenants_have_pages(cloud: SesCloud) -> None:
    """boto3's own paginator reads them all."""
    for name in ("corp", "acme", "best"):
        cloud.sesv2.create_tenant(TenantName=name)
    pages = cloud.sesv2.get_paginator("list_tenants").paginate(PaginationConfig={"PageSize": 2})
    names = [[tenant["TenantName"] for tenant in page["Tenants"]] for page in pages]
    assert names == [["acme", "best"], ["corp"]]


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("create_tenant", {"TenantName": "acme"}, "AlreadyExistsException"),
        ("create_tenant", {"TenantName": "x" * 65}, "BadRequestException"),
        ("get_tenant", {"TenantName": "missing"}, "NotFoundException"),
        ("delete_tenant", {"TenantName": "missing"}, "NotFoundException"),
        ("put_tenant_suppression_attributes", {"TenantName": "missing"}, "NotFoundException"),
        (
            "put_tenant_suppression_attributes",
            {"TenantName": "acme", "SuppressionScope": "TENANT"},
            "BadRequestException",
        ),
        ("list_tenants", {"PageSize": 0}, "BadRequestException"),
        ("list_tenants", {"PageSize": 101}, "BadRequestException"),
    ],
)
def test_an_invalid_request_for_tenants_is_rejected(cloud: SesCloud, operation: str, request_: Any, code: str) -> None:
    """A request that SES rejects is rejected with the same code."""
    cloud.sesv2.create_tenant(TenantName="acme")
    with pytest.raises(ClientError) as error:
        getattr(cloud.sesv2, operation)(**request_)
    assert code_of(error) == code
