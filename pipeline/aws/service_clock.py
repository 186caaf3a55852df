"""The time by the clock of an AWS service, as its responses state it in their header `Date`, to the second.

An author's clock may be wrong by minutes, and a decision must not be dated ahead: see `pipeline.decision.wall_time`.
"""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any

from pipeline.decision import wall_time


class ServiceClock:
    """The time by a service's clock.

    Args:
        client: Any boto3 client. Its responses are observed.
        service: Its name in boto3.
        clock: This machine's time, aware.
    """

    def __init__(self, client: Any, *, service: str, clock: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._clock = clock
        self._ahead: timedelta | None = None
        client.meta.events.register(f"after-call.{service}", self._observe)

    def now(self) -> datetime:
        """Return this machine's time, or the service's if they differ; see `decision.wall_time`.

        Before any response, it is this machine's.
        """
        own = self._clock()
        return own if self._ahead is None else wall_time(own=own, service=own + self._ahead)

    def _observe(self, parsed: dict[str, Any], **_: Any) -> None:
        date = parsed.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
        try:
            self._ahead = parsedate_to_datetime(date).astimezone(UTC) - self._clock() if date else self._ahead
        except ValueError:  # no date, so the last one counts
            return
