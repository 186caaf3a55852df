"""SES's own suppression list, in pages. moto's version 2 of SES knows none."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from tests.support.builders import OCCURRED_AT
from tests.support.fake_service import FakeService


class FakeOwnList(FakeService):
    """SES.

    Args:
        entries: Addresses on the list, with SES's reason.
        page_size: How many one answer holds, whatever is asked for.
        in_sandbox: Whether the account is, where every question about the list is refused.
        refuses: The code by which each next question about the list is refused, one for each; "" answers.
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
        if code := "BadRequestException" if self._in_sandbox else self._refuses.pop(0) if self._refuses else "":
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

    def _get_account(self) -> dict[str, Any]:
        return {"ProductionAccessEnabled": not self._in_sandbox}
