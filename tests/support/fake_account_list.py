"""A fake of SES's suppression lists, page by page. moto's SES API v2 has none."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

from tests.support.builders import OCCURRED_AT
from tests.support.fake_service import FakeService


class FakeAccountList(FakeService):
    """SES with an account-level suppression list.

    Args:
        entries: Addresses on the list, with SES's reason.
        page_size: Entries per response, whatever is requested.
        in_sandbox: Whether the account is in the sandbox, where every request for the list is rejected.
        refuses: The error code of each next request for the list; "" for success.
        tenants: The own list of each tenant, or None for a tenant that uses the account's; None: SES knows no tenants.
    """

    SERVICE = "sesv2"

    def __init__(
        self,
        entries: Mapping[str, str],
        *,
        page_size: int = 1_000,
        in_sandbox: bool = False,
        refuses: Sequence[str] = (),
        tenants: Mapping[str, Mapping[str, str] | None] | None = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self._lists: dict[str | None, dict[str, str] | None] = {None: dict(entries)}
        for name, own in dict(tenants or {}).items():
            self._lists[name] = None if own is None else dict(own)
        self._tenants = None if tenants is None else list(tenants)
        self._page_size = page_size
        self._in_sandbox = in_sandbox
        self._refuses = list(refuses)

    def _list_suppressed_destinations(
        self,
        *,
        PageSize: int,  # noqa: N803 - as in AWS's API
        Reasons: Sequence[str] = ("BOUNCE", "COMPLAINT"),  # noqa: N803 - as in AWS's API
        StartDate: datetime | None = None,  # noqa: N803 - as in AWS's API
        NextToken: str = "0",  # noqa: N803 - as in AWS's API
        TenantName: str | None = None,  # noqa: N803 - as in AWS's API
    ) -> dict[str, Any]:
        if code := self._next_error():
            return _error(code)
        if TenantName not in self._lists:
            return _error("NotFoundException")
        entries = self._lists[TenantName]
        if entries is None:
            return _error("BadRequestException")
        start = int(NextToken)
        end = start + min(PageSize, self._page_size)
        summaries = [
            {"EmailAddress": address, "Reason": reason, "LastUpdateTime": OCCURRED_AT}
            for address, reason in [*entries.items()][start:end]
            if reason in Reasons and (StartDate is None or StartDate < OCCURRED_AT)
        ]
        more = {"NextToken": str(end)} if end < len(entries) else {}
        return {"SuppressedDestinationSummaries": summaries, **more}

    def _get_suppressed_destination(self, *, EmailAddress: str, TenantName: str | None = None) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        if code := self._next_error():
            return _error(code)
        entries = self._lists.get(TenantName, {})
        if entries is None:
            return _error("BadRequestException")
        if EmailAddress not in entries:
            return _error("NotFoundException")
        entry = {"EmailAddress": EmailAddress, "Reason": entries[EmailAddress], "LastUpdateTime": OCCURRED_AT}
        return {"SuppressedDestination": entry}

    def _list_tenants(self, *, PageSize: int, NextToken: str = "0") -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        if self._tenants is None:
            return _error("UnknownOperationException")
        start = int(NextToken)
        end = start + min(PageSize, self._page_size)
        more = {"NextToken": str(end)} if end < len(self._tenants) else {}
        return {"Tenants": [{"TenantName": name} for name in self._tenants[start:end]], **more}

    def entries(self, tenant: str | None = None) -> Mapping[str, str]:
        """Return the entries of a list, with SES's reason."""
        return self._lists[tenant] or {}

    def refuse(self, *codes: str) -> None:
        """Reject the next requests for a list with these error codes."""
        self._refuses.extend(codes)

    def _put_suppressed_destination(
        self,
        *,
        EmailAddress: str,  # noqa: N803 - as in AWS's API
        Reason: str,  # noqa: N803 - as in AWS's API
        TenantName: str | None = None,  # noqa: N803 - as in AWS's API
    ) -> dict[str, Any]:
        if code := self._next_error():
            return _error(code, f"rejected {EmailAddress}")
        entries = self._lists[TenantName]
        assert entries is not None
        entries[EmailAddress] = Reason
        return {}

    def _delete_suppressed_destination(
        self,
        *,
        EmailAddress: str,  # noqa: N803 - as in AWS's API
        TenantName: str | None = None,  # noqa: N803 - as in AWS's API
    ) -> dict[str, Any]:
        if code := self._next_error():
            return _error(code, f"rejected {EmailAddress}")
        entries = self._lists[TenantName]
        assert entries is not None
        return {} if entries.pop(EmailAddress, None) else _error("NotFoundException")

    def _next_error(self) -> str:
        if self._in_sandbox:
            return "BadRequestException"
        return self._refuses.pop(0) if self._refuses else ""

    def _get_account(self) -> dict[str, Any]:
        return {"ProductionAccessEnabled": not self._in_sandbox}


def _error(code: str, message: str = "no") -> dict[str, Any]:
    return {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": 400}}
