"""The dashboard: valid widgets that show existing metrics."""

import json
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from pipeline.aws.settings import NAMESPACE
from pipeline.event import EventKind
from tests.infra.conftest import Metric
from tests.support.alarm_state import queries
from tests.support.cloudformation import CONSUMERS, NAME, REGION, consumed_by, stack

BODIES = {
    consumer: json.loads(consumed_by(consumer).properties("Dashboard")["DashboardBody"]) for consumer in CONSUMERS
}
COLUMNS = 24  # docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html


def cells(widget: dict[str, Any]) -> set[tuple[int, int]]:
    """Return the grid cells that a widget covers."""
    return {
        (x, y)
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    }


def series(widget: dict[str, Any]) -> Iterator[list[str]]:
    """Yield namespace, name and dimensions of each line, with abbreviations expanded."""
    previous: list[str] = []
    for metric in widget["properties"].get("metrics", ()):
        texts = [part for part in metric if isinstance(part, str)]
        if not texts:
            continue
        if texts[0] == "...":
            texts = [*previous[: 1 - len(texts)], *texts[1:]]
        previous = [previous[index] if text == "." else text for index, text in enumerate(texts)]
        yield previous


@pytest.fixture(params=CONSUMERS)
def consumer(request: pytest.FixtureRequest) -> str:
    """The consumer of the stream, which the dashboard depends on."""
    return str(request.param)


@pytest.fixture
def widgets(consumer: str) -> list[dict[str, Any]]:
    """The widgets of the dashboard."""
    consumer_widgets: list[dict[str, Any]] = BODIES[consumer]["widgets"]
    return consumer_widgets


@pytest.fixture
def drawn(widgets: list[dict[str, Any]]) -> list[list[str]]:
    """Namespace, name and dimensions of all lines of the dashboard."""
    return [line for widget in widgets for line in series(widget)]


def alarms(consumer: str) -> dict[str, Any]:
    """Return the alarms that every stack with this consumer has."""
    return consumed_by(consumer).of_type("AWS::CloudWatch::Alarm")


def test_widgets_fill_the_grid_without_overlap(widgets: list[dict[str, Any]]) -> None:
    """Every cell of the grid belongs to exactly one widget."""
    assert all(not cells(first) & cells(second) for first, second in combinations(widgets, 2))
    assert {x for widget in widgets for x, _ in cells(widget)} == set(range(COLUMNS))
    assert len(set().union(*map(cells, widgets))) == COLUMNS * max(widget["y"] + widget["height"] for widget in widgets)


def test_a_widget_has_a_title_and_a_region(widgets: list[dict[str, Any]]) -> None:
    """The text names `mailfold doctor`, and every other widget has a title and the stack's region."""
    text, *others = widgets
    assert "mailfold doctor" in text["properties"]["markdown"]
    for widget in others:
        assert widget["properties"]["title"]
        assert widget["type"] == "alarm" or widget["properties"]["region"] == REGION


def test_every_alarm_is_on_the_dashboard(consumer: str, widgets: list[dict[str, Any]]) -> None:
    """The alarm widget shows every alarm that each stack with this consumer has."""
    (widget,) = [widget for widget in widgets if widget["type"] == "alarm"]
    assert sorted(widget["properties"]["alarms"]) == sorted(f"{{{name}.Arn}}" for name in alarms(consumer))


def test_own_metrics_on_the_dashboard_are_published(drawn: list[list[str]], published: set[Metric]) -> None:
    """Functions and consumer publish every metric of Mailfold's namespace that is shown."""
    mailfold_lines = [line for line in drawn if line[0] == NAMESPACE]
    assert {(namespace, name, service) for namespace, name, _, service in mailfold_lines} <= published
    assert {dimension for _, _, dimension, _ in mailfold_lines} == {"service"}


def test_events_of_every_kind_are_shown(drawn: list[list[str]]) -> None:
    """The dashboard has a line for each kind of event."""
    shown = {
        name for namespace, name, *rest in drawn if namespace == NAMESPACE and rest == ["service", f"{NAME}-transform"]
    }
    assert shown >= {f"{kind.title().replace('_', '')}Events" for kind in EventKind}


def test_metrics_of_alarms_are_shown(consumer: str, drawn: list[list[str]]) -> None:
    """The dashboard shows the metrics of all alarms, except for rare events."""
    watched = {
        (query.metric.namespace, query.metric.name)
        for alarm in alarms(consumer).values()
        for query in queries(alarm).values()
    }
    # Rare events have an alarm only.
    watched -= {("AWS/Lambda", "DestinationDeliveryFailures"), ("AWS/Events", "InvocationsFailedToBeSentToDlq")}
    assert watched <= {(line[0], line[1]) for line in drawn}


def test_load_and_warnings_of_a_container_are_shown(
    consumer: str, widgets: list[dict[str, Any]], drawn: list[list[str]]
) -> None:
    """Its processor, memory and log are shown only if a container is the consumer."""
    (log,) = [widget for widget in widgets if widget["type"] == "log"]
    assert ("{ConsumerLogs}" in log["properties"]["query"]) == (consumer == "container")
    assert any(line[0] == "AWS/ECS" for line in drawn) == (consumer == "container")


def test_horizontal_lines_are_thresholds_of_alarms(widgets: list[dict[str, Any]]) -> None:
    """Every horizontal line is at the threshold of its alarm."""
    alarms = stack().of_type("AWS::CloudWatch::Alarm")
    lines = sorted(
        line["value"]
        for widget in widgets
        for line in widget["properties"].get("annotations", {}).get("horizontal", ())
    )
    thresholds = [
        alarms[f"{rate}Rate{grade}Alarm"]["Threshold"]
        for rate in ("Bounce", "Complaint")
        for grade in ("Warning", "Page")
    ]
    assert lines == pytest.approx(
        sorted(
            [100 * threshold for threshold in thresholds]
            + [alarms[name]["Threshold"] for name in ("LogLateAlarm", "FeedbackLateAlarm", "ProofAlarm")]
        )
    )
