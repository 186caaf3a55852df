"""SES's own list is read page by page, to its end; what SES refuses is told as what it is."""

from datetime import timedelta

import pytest
from botocore.exceptions import EndpointConnectionError

from pipeline.account_list import ListEntry
from pipeline.aws.ses import ENTRIES_PER_PAGE, read_account_list
from pipeline.errors import AccessDenied, InvalidInput, ServiceUnavailable, UsageError
from tests.support.builders import ADA, BOB, OCCURRED_AT
from tests.support.fake_account_list import FakeOwnList

LIST = {ADA: "BOUNCE", BOB: "COMPLAINT", "Carol@example.com": "BOUNCE"}


def addresses(ses: FakeOwnList) -> list[str]:
    return [entry.address for page in read_account_list(ses.client()) for entry in page.entries]


def test_every_entry_comes_as_ses_spells_it_with_its_reason_and_time() -> None:
    [page] = read_account_list(FakeOwnList(LIST).client())
    assert page.is_last
    assert page.entries == tuple(
        ListEntry(address=address, reason=reason, updated_at=OCCURRED_AT) for address, reason in LIST.items()
    )


def test_pages_are_followed_by_their_tokens_and_the_last_is_known() -> None:
    ses = FakeOwnList(LIST, page_size=1)
    pages = list(read_account_list(ses.client()))
    assert [entry.address for page in pages for entry in page.entries] == list(LIST)
    assert [page.is_last for page in pages] == [False, False, True]
    assert [asked.get("NextToken") for _, asked in ses.calls] == [None, "1", "2"]
    assert {asked["PageSize"] for _, asked in ses.calls} == {ENTRIES_PER_PAGE}


def test_no_more_pages_are_asked_for_than_are_taken() -> None:
    ses = FakeOwnList(LIST, page_size=1)
    next(read_account_list(ses.client()))
    assert len(ses.calls) == 1


def test_a_page_without_entries_is_not_the_end() -> None:
    """SES filters what it has read, so that a page may be empty while more come."""
    ses = FakeOwnList(LIST, page_size=1)
    pages = list(read_account_list(ses.client(), reasons=["COMPLAINT"]))
    assert [len(page.entries) for page in pages] == [0, 1, 0]


def test_an_empty_list_is_one_empty_page() -> None:
    assert addresses(FakeOwnList({})) == []


def test_reasons_and_a_beginning_are_asked_for_on_every_page() -> None:
    ses, since = FakeOwnList(LIST, page_size=2), OCCURRED_AT - timedelta(days=1)
    list(read_account_list(ses.client(), reasons=["BOUNCE"], since=since))
    assert [(asked["Reasons"], asked["StartDate"]) for _, asked in ses.calls] == [(["BOUNCE"], since)] * 2


@pytest.mark.parametrize(
    ("code", "error", "words"),
    [
        ("TooManyRequestsException", ServiceUnavailable, "try again later"),
        (
            "AccessDeniedException",
            AccessDenied,
            "AWS denies reading SES's own suppression list",
        ),
        ("InvalidNextTokenException", InvalidInput, "AWS rejects reading SES's own suppression list"),
    ],
)
def test_what_ses_refuses_is_told(code: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        addresses(FakeOwnList(LIST, refuses=[code]))


def test_a_refusal_in_the_middle_comes_after_what_was_read() -> None:
    pages = read_account_list(FakeOwnList(LIST, page_size=1, refuses=["", "AccessDeniedException"]).client())
    assert len(next(pages).entries) == 1
    with pytest.raises(AccessDenied, match="denies"):
        next(pages)


def test_in_the_sandbox_it_says_so() -> None:
    with pytest.raises(UsageError, match="SES is in its sandbox in this region") as told:
        addresses(FakeOwnList(LIST, in_sandbox=True))
    assert "production access" in str(told.value)


def test_where_ses_does_not_say_whether_it_is_in_the_sandbox_the_refusal_itself_is_told() -> None:
    ses = FakeOwnList(LIST, refuses=["AccessDeniedException"])
    ses.interrupts["get_account"] = EndpointConnectionError(endpoint_url="https://email.eu-west-1.amazonaws.com")
    with pytest.raises(AccessDenied, match="AWS denies reading"):
        addresses(ses)
