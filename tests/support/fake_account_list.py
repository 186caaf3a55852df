"""A fake of SES's account-level suppression list, page by page. moto's SES API v2 has none."""

from collections.abc import Mapping, Sequence
from datetime import datetime
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
    """

    SERVICE = "sesv2"

    def __init__(
        self,
        entries: Mapping[str, str],
        *,
        page_size: int = 1_000,
        in_sandbox: bool = False,
        refuses: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self._entries = list(entries.items())
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
    ) -> dict[str, Any]:
        if code := self._next_error():
            return {"Error": {"Code": code, "Message": "no"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
        start = int(NextToken)
        end = start + min(PageSize, self._page_size)
        summaries = [
            {"EmailAddress": address, "Reason": reason, "LastUpdateTime": OCCURRED_AT}
            for address, reason in self._entries[start:end]
            if reason in Reasons and (StartDate is None or StartDate < OCCURRED_AT)
        ]
        more = {"NextToken": str(end)} if end < len(self._entries) else {}
        return {"SuppressedDestinationSummaries": summaries, **more}

    def _next_error(self) -> str:
        if self._in_sandbox:
            return "BadRequestException"
        return self._refuses.pop(0) if self._refuses else ""

    def _get_account(self) -> dict[str, Any]:
        return {"ProductionAccessEnabled": not self._in_sandbox}
