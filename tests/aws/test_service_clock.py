"""The time of a service, which replaces that of a machine whose clock is wrong."""

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace
from typing import Any

import pytest

from pipeline.aws.service_clock import ServiceClock

NINE = datetime(2026, 3, 1, 9, tzinfo=UTC)


class FakeClock:
    """A client whose responses have dates, and a machine whose clock a test sets."""

    def __init__(self) -> None:
        self.own = NINE
        self._handlers: list[Any] = []
        self.meta = SimpleNamespace(events=SimpleNamespace(register=self._register))
        self.clock = ServiceClock(self, service="dynamodb", clock=lambda: self.own)

    def _register(self, event: str, handler: Any) -> None:
        assert event == "after-call.dynamodb"
        self._handlers.append(handler)

    def answer(self, date: str | None) -> None:
        """Receive a response with this date."""
        for handler in self._handlers:
            handler(parsed={"ResponseMetadata": {"HTTPHeaders": {"date": date} if date else {}}}, model=None)


@pytest.mark.parametrize(("ahead", "is_corrected"), [(-600, True), (600, True), (4, False), (0, False)])
def test_a_wrong_clock_is_replaced_by_the_services(ahead: float, is_corrected: bool) -> None:
    """A decision of an author whose clock is ahead would lift what is still to happen."""
    fake = FakeClock()
    fake.own = NINE + timedelta(seconds=ahead)
    assert fake.clock.now() == fake.own
    fake.answer(format_datetime(NINE, usegmt=True))
    fake.own += timedelta(seconds=30)
    assert fake.clock.now() == (NINE + timedelta(seconds=30) if is_corrected else fake.own)


@pytest.mark.parametrize("date", [None, "yesterday"])
def test_a_response_without_a_date_changes_nothing(date: str | None) -> None:
    """An emulator or a proxy may send none."""
    fake = FakeClock()
    fake.answer(date)
    assert fake.clock.now() == NINE
    fake.answer(format_datetime(NINE + timedelta(hours=1), usegmt=True))
    fake.answer(date)
    assert fake.clock.now() == NINE + timedelta(hours=1)
