"""The suppression lists of the account and its tenants, by SES API v2.

Claims: ListSuppressedDestinations with its filters and pages, GetSuppressedDestination, PutSuppressedDestination and
DeleteSuppressedDestination. The backend has none of them.
A tenant without its own list is rejected: AWS documents that tenant-level suppression must be enabled first.
docs.aws.amazon.com/ses/latest/APIReference-V2/API_ListSuppressedDestinations.html
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

import msgspec
from werkzeug.wrappers import Request, Response

from pipeline.errors import UsageError
from pipeline.local.gateway.protocols import ApiError
from pipeline.local.gateway.ses_responses import BAD_REQUEST, ROOT, SCOPE, json_error, json_response
from pipeline.local.gateway.tenants import find_tenant
from pipeline.local.ses.account_list import AccountList, Listed, Listing
from pipeline.local.ses.tenants import Tenants
from pipeline.timestamp import parse_time

ADDRESSES = f"{ROOT}/suppression/addresses"
MAX_PAGE = 1_000  # also the default page size


class _PutRequest(msgspec.Struct, frozen=True, rename="pascal"):
    """Body of a PutSuppressedDestination request."""

    email_address: str
    reason: Listing
    tenant_name: str | None = None


class SuppressionApi:
    """Handler of requests about the lists.

    Args:
        account_list: The account's list.
        tenants: The tenants, with their own lists.
    """

    def __init__(self, account_list: AccountList, tenants: Tenants) -> None:
        self._account_list, self._tenants = account_list, tenants

    def handle(self, request: Request) -> Response | None:
        """Return the response to a request, or None if the request is about something else."""
        if not request.path.startswith(ADDRESSES) or not SCOPE.search(request.headers.get("Authorization", "")):
            return None
        try:
            return json_response(self._call(request))
        except (UsageError, msgspec.DecodeError) as error:
            return json_error(ApiError(BAD_REQUEST, str(error)))
        except ApiError as error:
            return json_error(error)

    def _call(self, request: Request) -> Mapping[str, Any]:
        list_ = self._list(request.args.get("TenantName"))
        address = request.path.removeprefix(ADDRESSES).removeprefix("/")
        match request.method:
            case "GET" if not address:
                return _page(list_, request)
            case "GET" if entry := list_.get(address):
                return {"SuppressedDestination": _description(entry)}
            case "PUT" if not address:
                put = msgspec.json.decode(request.get_data(), type=_PutRequest)
                self._list(put.tenant_name).put(put.email_address, put.reason, at=datetime.now(UTC))
                return {}
            case "DELETE" if list_.delete(address):
                return {}
        raise ApiError("NotFoundException", "the address is not on the list", status=HTTPStatus.NOT_FOUND)

    def _list(self, name: str | None) -> AccountList:
        """Return the list of a tenant, or the account's."""
        if not name:
            return self._account_list
        tenant = find_tenant(self._tenants, name)
        if not tenant.has_own_list:
            raise UsageError("the tenant has no list of its own: set its SuppressionScope to TENANT")
        return tenant.own_list


def _page(list_: AccountList, request: Request) -> Mapping[str, Any]:
    page_size, token = request.args.get("PageSize", str(MAX_PAGE)), request.args.get("NextToken", "")
    if not (page_size.isdecimal() and 1 <= int(page_size) <= MAX_PAGE):
        raise UsageError(f"PageSize is 1 to {MAX_PAGE}")
    last_address = _last_address(token)
    entries = [entry for entry in list_.entries() if entry.address > last_address and _matches(entry, request)]
    page, rest = entries[: int(page_size)], entries[int(page_size) :]
    next_token = {"NextToken": page[-1].address.encode().hex()} if rest else {}
    return {"SuppressedDestinationSummaries": [_description(entry) for entry in page], **next_token}


def _last_address(token: str) -> str:
    """Return the last address of the previous page; "" for the first page."""
    try:
        return bytes.fromhex(token).decode()
    except ValueError as error:
        raise ApiError("InvalidNextTokenException", "NextToken is not that of a previous page") from error


def _matches(entry: Listed, request: Request) -> bool:
    """Return True if an entry passes the request's filters."""
    reasons = request.args.getlist("Reason")
    since, until = parse_time(request.args.get("StartDate")), parse_time(request.args.get("EndDate"))
    return (
        (not reasons or entry.reason in reasons)
        and (since is None or entry.updated_at > since)
        and (until is None or entry.updated_at < until)
    )


def _description(entry: Listed) -> Mapping[str, Any]:
    return {"EmailAddress": entry.address, "Reason": entry.reason, "LastUpdateTime": entry.updated_at.timestamp()}
