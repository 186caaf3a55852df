"""The account-level suppression list, managed with boto3's `sesv2`."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipeline.local.ses.account_list import AccountList, Listing
from tests.support.ses_cloud import MESSAGE, SENDER, SesCloud

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _empty_list(cloud: SesCloud) -> Iterator[None]:
    yield
    for entry in entries(cloud):
        cloud.sesv2.delete_suppressed_destination(EmailAddress=entry["EmailAddress"])


def entries(cloud: SesCloud, **filters: Any) -> list[Any]:
    return [*cloud.sesv2.list_suppressed_destinations(**filters)["SuppressedDestinationSummaries"]]


def put(cloud: SesCloud, *addresses: str, reason: Any = "BOUNCE") -> None:
    for address in addresses:
        cloud.sesv2.put_suppressed_destination(EmailAddress=address, Reason=reason)


def send(cloud: SesCloud, address: str) -> list[tuple[str, str | None]]:
    """Send a mail, and return the kinds and sub-types of its events."""
    cloud.records.clear()
    cloud.ses.send_email(Source=SENDER, Destination={"ToAddresses": [address]}, Message=MESSAGE)
    return [(event.kind, getattr(event.details, "bounce_sub_type", None)) for event in cloud.events()]


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def test_a_listed_address_gets_no_mail(cloud: SesCloud) -> None:
    """Mail to a listed address bounces in any spelling; after deletion it is delivered again."""
    put(cloud, "ann+tag@example.com")
    assert send(cloud, "Ann+Tag@example.com") == [("send", None), ("bounce", "OnAccountSuppressionList")]
    cloud.sesv2.delete_suppressed_destination(EmailAddress="ann+tag@example.com")
    assert send(cloud, "ann+tag@example.com") == [("send", None), ("delivery", None)]


def test_a_bounced_address_is_listed(cloud: SesCloud) -> None:
    """A hard bounce lists its address as it was spelled, with the reason and the time."""
    before = datetime.now(UTC)
    send(cloud, "Ann <Bounce+Ann@example.com>")
    [entry] = entries(cloud)
    assert (entry["EmailAddress"], entry["Reason"]) == ("Bounce+Ann@example.com", "BOUNCE")
    assert abs(entry["LastUpdateTime"] - before) < HOUR
    reply = cloud.sesv2.get_suppressed_destination(EmailAddress="Bounce+Ann@example.com")
    assert reply["SuppressedDestination"] == entry


def test_entries_differ_by_spelling(cloud: SesCloud) -> None:
    """The API keeps spellings apart, although sending does not."""
    put(cloud, "ann@example.com", "ANN@example.com")
    put(cloud, "ann@example.com", reason="COMPLAINT")
    assert [(entry["EmailAddress"], entry["Reason"]) for entry in entries(cloud)] == [
        ("ANN@example.com", "BOUNCE"),
        ("ann@example.com", "COMPLAINT"),
    ]
    with pytest.raises(ClientError) as error:
        cloud.sesv2.get_suppressed_destination(EmailAddress="Ann@example.com")
    assert code_of(error) == "NotFoundException"


def test_the_list_has_pages(cloud: SesCloud) -> None:
    """Pages have the requested size and together contain every entry once."""
    addresses = [f"{number}@example.com" for number in range(5)]
    put(cloud, *addresses)
    pages: list[list[str]] = []
    request: dict[str, Any] = {"PageSize": 2}
    while "NextToken" in request or not pages:
        reply = cloud.sesv2.list_suppressed_destinations(**request)
        pages.append([entry["EmailAddress"] for entry in reply["SuppressedDestinationSummaries"]])
        request = {"PageSize": 2} | ({"NextToken": reply["NextToken"]} if "NextToken" in reply else {})
    assert pages == [addresses[:2], addresses[2:4], addresses[4:]]


def test_the_list_is_filtered(cloud: SesCloud) -> None:
    """Entries can be filtered by reason, start and end."""
    put(cloud, "ann@example.com")
    put(cloud, "bob@example.com", reason="COMPLAINT")
    now = datetime.now(UTC)
    assert [entry["EmailAddress"] for entry in entries(cloud, Reasons=["COMPLAINT"])] == ["bob@example.com"]
    assert len(entries(cloud, Reasons=["COMPLAINT", "BOUNCE"], StartDate=now - HOUR, EndDate=now + HOUR)) == 2
    assert entries(cloud, StartDate=now + HOUR) == entries(cloud, EndDate=now - HOUR) == []


@pytest.mark.parametrize(
    ("operation", "request_", "code"),
    [
        ("get", {"EmailAddress": "missing@example.com"}, "NotFoundException"),
        ("delete", {"EmailAddress": "missing@example.com"}, "NotFoundException"),
        ("put", {"EmailAddress": "no address", "Reason": "BOUNCE"}, "BadRequestException"),
        ("put", {"EmailAddress": "ann@example.com", "Reason": "WHIM"}, "BadRequestException"),
        ("put", {"EmailAddress": "ann@example.com", "Reason": "BOUNCE", "TenantName": "t"}, "NotFoundException"),
        ("get", {"EmailAddress": "ann@example.com", "TenantName": "t"}, "NotFoundException"),
        ("list", {"PageSize": 0}, "BadRequestException"),
        ("list", {"PageSize": 1_001}, "BadRequestException"),
        ("list", {"NextToken": "?"}, "InvalidNextTokenException"),
        ("list", {"NextToken": "ff"}, "InvalidNextTokenException"),
    ],
)
def test_an_invalid_request_is_rejected(cloud: SesCloud, operation: str, request_: Any, code: str) -> None:
    """A request that SES rejects is rejected with the same code."""
    name = f"{operation}_suppressed_destination{'s' if operation == 'list' else ''}"
    with pytest.raises(ClientError) as error:
        getattr(cloud.sesv2, name)(**request_)
    assert code_of(error) == code


def test_the_newest_spelling_decides_the_reason() -> None:
    """Of several spellings of one address, the entry that changed last is the reason why mail is suppressed."""
    account_list = AccountList()
    now = datetime.now(UTC)
    account_list.put("ann@example.com", Listing.BOUNCE, at=now)
    account_list.put("Ann@example.com", Listing.COMPLAINT, at=now)
    assert account_list.reason("ANN@EXAMPLE.COM") is Listing.COMPLAINT
    account_list.put("ann@example.com", Listing.BOUNCE, at=now)
    assert account_list.reason("ANN@EXAMPLE.COM") is Listing.BOUNCE
    assert account_list.delete("ann@example.com")
    assert account_list.reason("ANN@EXAMPLE.COM") is Listing.COMPLAINT
