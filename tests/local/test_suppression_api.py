"""SES's own list, managed with boto3's `sesv2`: what stands there stops mail, and what bounces gets there."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from pipeline.local.ses.account_list import AccountList, Listing
from tests.support.ses_cloud import MESSAGE, SENDER, SesCloud

HOUR = timedelta(hours=1)


@pytest.fixture(autouse=True)
def _empty(cloud: SesCloud) -> Iterator[None]:
    yield
    for entry in listed(cloud):
        cloud.sesv2.delete_suppressed_destination(EmailAddress=entry["EmailAddress"])


def listed(cloud: SesCloud, **asked: Any) -> list[Any]:
    return [*cloud.sesv2.list_suppressed_destinations(**asked)["SuppressedDestinationSummaries"]]


def put(cloud: SesCloud, *addresses: str, reason: Any = "BOUNCE") -> None:
    for address in addresses:
        cloud.sesv2.put_suppressed_destination(EmailAddress=address, Reason=reason)


def sent(cloud: SesCloud, address: str) -> list[tuple[str, str | None]]:
    """Send a mail, and return its events' kinds and sub-types."""
    cloud.records.clear()
    cloud.ses.send_email(Source=SENDER, Destination={"ToAddresses": [address]}, Message=MESSAGE)
    return [(event.kind, getattr(event.details, "bounce_sub_type", None)) for event in cloud.events()]


def code_of(error: pytest.ExceptionInfo[ClientError]) -> str:
    return error.value.response["Error"]["Code"]


def test_an_address_that_is_put_there_gets_no_mail_until_it_is_deleted(cloud: SesCloud) -> None:
    put(cloud, "ann+tag@example.com")
    assert sent(cloud, "Ann+Tag@example.com") == [("send", None), ("bounce", "OnAccountSuppressionList")]
    cloud.sesv2.delete_suppressed_destination(EmailAddress="ann+tag@example.com")
    assert sent(cloud, "ann+tag@example.com") == [("send", None), ("delivery", None)]


def test_an_address_that_bounced_stands_there_as_it_was_spelt_and_since_when(cloud: SesCloud) -> None:
    before = datetime.now(UTC)
    sent(cloud, "Ann <Bounce+Ann@example.com>")
    [entry] = listed(cloud)
    assert (entry["EmailAddress"], entry["Reason"]) == ("Bounce+Ann@example.com", "BOUNCE")
    assert abs(entry["LastUpdateTime"] - before) < HOUR
    found = cloud.sesv2.get_suppressed_destination(EmailAddress="Bounce+Ann@example.com")["SuppressedDestination"]
    assert found == entry


def test_managing_it_tells_spellings_apart(cloud: SesCloud) -> None:
    put(cloud, "ann@example.com", "ANN@example.com")
    put(cloud, "ann@example.com", reason="COMPLAINT")
    assert [(one["EmailAddress"], one["Reason"]) for one in listed(cloud)] == [
        ("ANN@example.com", "BOUNCE"),
        ("ann@example.com", "COMPLAINT"),
    ]
    with pytest.raises(ClientError) as error:
        cloud.sesv2.get_suppressed_destination(EmailAddress="Ann@example.com")
    assert code_of(error) == "NotFoundException"


def test_it_is_listed_in_pages(cloud: SesCloud) -> None:
    addresses = [f"{number}@example.com" for number in range(5)]
    put(cloud, *addresses)
    pages: list[list[str]] = []
    asked: dict[str, Any] = {"PageSize": 2}
    while "NextToken" in asked or not pages:
        answer = cloud.sesv2.list_suppressed_destinations(**asked)
        pages.append([one["EmailAddress"] for one in answer["SuppressedDestinationSummaries"]])
        asked = {"PageSize": 2} | ({"NextToken": answer["NextToken"]} if "NextToken" in answer else {})
    assert pages == [addresses[:2], addresses[2:4], addresses[4:]]


def test_it_is_listed_by_reason_and_time(cloud: SesCloud) -> None:
    put(cloud, "ann@example.com")
    put(cloud, "bob@example.com", reason="COMPLAINT")
    now = datetime.now(UTC)
    assert [one["EmailAddress"] for one in listed(cloud, Reasons=["COMPLAINT"])] == ["bob@example.com"]
    assert len(listed(cloud, Reasons=["COMPLAINT", "BOUNCE"], StartDate=now - HOUR, EndDate=now + HOUR)) == 2
    assert listed(cloud, StartDate=now + HOUR) == listed(cloud, EndDate=now - HOUR) == []


@pytest.mark.parametrize(
    ("operation", "asked", "code"),
    [
        ("get", {"EmailAddress": "nobody@example.com"}, "NotFoundException"),
        ("delete", {"EmailAddress": "nobody@example.com"}, "NotFoundException"),
        ("put", {"EmailAddress": "nobody", "Reason": "BOUNCE"}, "BadRequestException"),
        ("put", {"EmailAddress": "ann@example.com", "Reason": "WHIM"}, "BadRequestException"),
        ("put", {"EmailAddress": "ann@example.com", "Reason": "BOUNCE", "TenantName": "t"}, "BadRequestException"),
        ("get", {"EmailAddress": "ann@example.com", "TenantName": "t"}, "BadRequestException"),
        ("list", {"PageSize": 0}, "BadRequestException"),
        ("list", {"PageSize": 1_001}, "BadRequestException"),
        ("list", {"NextToken": "?"}, "InvalidNextTokenException"),
        ("list", {"NextToken": "ff"}, "InvalidNextTokenException"),
    ],
)
def test_what_ses_would_refuse_is_refused(cloud: SesCloud, operation: str, asked: Any, code: str) -> None:
    name = f"{operation}_suppressed_destination{'s' if operation == 'list' else ''}"
    with pytest.raises(ClientError) as error:
        getattr(cloud.sesv2, name)(**asked)
    assert code_of(error) == code


def test_of_several_spellings_the_newest_says_why_mail_is_kept_back() -> None:
    known = AccountList()
    now = datetime.now(UTC)
    known.put("ann@example.com", Listing.BOUNCE, at=now)
    known.put("Ann@example.com", Listing.COMPLAINT, at=now)
    assert known.reason("ANN@EXAMPLE.COM") is Listing.COMPLAINT
    known.put("ann@example.com", Listing.BOUNCE, at=now)
    assert known.reason("ANN@EXAMPLE.COM") is Listing.BOUNCE
    assert known.delete("ann@example.com")
    assert known.reason("ANN@EXAMPLE.COM") is Listing.COMPLAINT
