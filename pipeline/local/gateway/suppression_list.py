"""The account-level suppression list of SES's second API: listed, looked up, put to, deleted from.

Claims: ListSuppressedDestinations with its filters and pages, GetSuppressedDestination, PutSuppressedDestination and
DeleteSuppressedDestination. Leaves out: the lists of tenants. The backend knows none of it.
docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html
"""

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

from pipeline.errors import UsageError
from pipeline.local.gateway.protocols import ApiError
from pipeline.local.gateway.ses import ROOT, SCOPE
from pipeline.local.gateway.ses_responses import json_response
from pipeline.local.ses.account_list import AccountList, Listed, Listing
from pipeline.timestamp import parse_time

ADDRESSES = f"{ROOT}/suppression/addresses"
MAX_PAGE = 1_000  # and what a page holds where nothing is said

BAD_REQUEST = "BadRequestException"


class _Put(msgspec.Struct, frozen=True, rename="pascal"):
    """A request to put an address onto the list."""

    email_address: str
    reason: Listing
    tenant_name: str | None = None


class SuppressionApi:
    """Answers requests about the list.

    Args:
        account_list: The list.
        now: The moment, aware.
    """

    def __init__(self, account_list: AccountList, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._list = account_list
        self._now = now

    def answer(self, request: Request) -> Response | None:
        """Return the answer to a request; None if it is about something else."""
        if not request.path.startswith(ADDRESSES) or not SCOPE.search(request.headers.get("Authorization", "")):
            return None
        try:
            return json_response(self._answered(request))
        except (UsageError, msgspec.DecodeError) as error:
            return _refused(ApiError(BAD_REQUEST, str(error)))
        except ApiError as refusal:
            return _refused(refusal)

    def _answered(self, request: Request) -> Mapping[str, Any]:
        _check_tenant(request.args.get("TenantName"))
        address = request.path.removeprefix(ADDRESSES).removeprefix("/")
        match request.method:
            case "GET" if not address:
                return self._page(request)
            case "GET" if found := self._list.get(address):
                return {"SuppressedDestination": _described(found)}
            case "PUT" if not address:
                asked = msgspec.json.decode(request.get_data(), type=_Put)
                _check_tenant(asked.tenant_name)
                self._list.put(asked.email_address, asked.reason, at=self._now())
                return {}
            case "DELETE" if self._list.delete(address):
                return {}
        raise ApiError("NotFoundException", "there is no such address on the list", status=HTTPStatus.NOT_FOUND)

    def _page(self, request: Request) -> Mapping[str, Any]:
        size, token = request.args.get("PageSize", str(MAX_PAGE)), request.args.get("NextToken", "")
        if not (size.isdecimal() and 1 <= int(size) <= MAX_PAGE):
            raise UsageError(f"PageSize is 1 to {MAX_PAGE}")
        beginning = _after(token)
        rest = [one for one in self._list.entries() if one.address > beginning and _is_wanted(one, request)]
        page, after = rest[: int(size)], rest[int(size) :]
        more = {"NextToken": page[-1].address.encode().hex()} if after else {}
        return {"SuppressedDestinationSummaries": [_described(one) for one in page], **more}


def _check_tenant(name: str | None) -> None:
    if name:
        raise UsageError("the lists of tenants are not covered here: leave TenantName out")


def _after(token: str) -> str:
    """Return the last address of the page before; "" before the first page."""
    try:
        return bytes.fromhex(token).decode()
    except ValueError as error:
        raise ApiError("InvalidNextTokenException", "NextToken is none that was given before") from error


def _is_wanted(listed: Listed, request: Request) -> bool:
    reasons = request.args.getlist("Reason")
    since, until = parse_time(request.args.get("StartDate")), parse_time(request.args.get("EndDate"))
    return (
        (not reasons or listed.reason in reasons)
        and (since is None or listed.updated_at > since)
        and (until is None or listed.updated_at < until)
    )


def _described(listed: Listed) -> Mapping[str, Any]:
    return {
        "EmailAddress": listed.address,
        "Reason": listed.reason,
        "LastUpdateTime": listed.updated_at.timestamp(),
    }


def _refused(refusal: ApiError) -> Response:
    return json_response({"message": str(refusal)}, status=refusal.status, headers={"x-amzn-ErrorType": refusal.code})
