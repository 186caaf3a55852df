"""A failure that an alarm reports, as metrics show it.

It begins at noon, in a deployment that was healthy until then. What AWS omits during it is a gap.
"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tests.infra.healthy_metrics import QUIET
from tests.support.cloudformation import TOPIC, stack
from tests.support.metric_history import History, Metric, changed, rising

NOON = 12 * 60
ELSEWHERE = {"Consumer": "elsewhere"}
QUEUE = {"NotificationTopic": TOPIC, "NotificationRoute": "queue"}
DIRECT = {"NotificationTopic": TOPIC, "NotificationRoute": "direct"}


class AlarmCase(msgspec.Struct, frozen=True, kw_only=True):
    """A failure that an alarm reports.

    Attributes:
        alarm: The alarm's logical id.
        failure: The failure, and what AWS publishes of it.
        history: The metrics of the whole day.
        minutes: Minutes from the failure's beginning until the alarm, at most.
        parameters: Parameters of the stack.
    """

    alarm: str
    failure: str
    history: History
    minutes: int
    parameters: Mapping[str, str] = {}

    @property
    def properties(self) -> Any:
        """The alarm's properties in that stack."""
        return stack(**self.parameters).properties(self.alarm)


def since_noon(healthy: History, by: History) -> History:
    """Return the metrics of a day whose second half differs."""
    return changed(healthy, since=NOON, by=by)


def stopped(healthy: History, *metrics: Metric) -> History:
    """Return the metrics of a day since whose noon some are not published."""
    return since_noon(healthy, {metric: {} for metric in metrics})


def once(watched: Metric, value: float = 1, *, healthy: History = QUIET) -> History:
    """Return the metrics of a day with a failure of one minute that a metric counts. Then it has no data."""
    return changed(healthy, since=NOON, by={watched: {NOON: value}})


LATE_MS = rising(60_000, first=NOON)
