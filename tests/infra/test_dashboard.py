"""The dashboard: valid widgets that show existing metrics."""

import json
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from pipeline.aws.metrics import NAMESPACE
from pipeline.event import EventKind
from tests.infra.conftest import Metric
from tests.support.cloudformation import CONSUMERS, NAME, REGION, consumed_by, stack

BODIES = {
    consumer: json.loads(consumed_by(consumer).properties("Dashboard")["DashboardBody"]) for consumer in CONSUMERS
}
COLUMNS = 24  # docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html


def cells(widget: dict[str, Any]) -> set[tuple[int, int]]:
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
    consumer_widgets: list[dict[str, Any]] = BODIES[consumer]["widgets"]
    return consumer_widgets


@pytest.fixture
def drawn(widgets: list[dict[str, Any]]) -> list[list[str]]:
    return [line for widget in widgets for line in series(widget)]


def alarms(consumer: str) -> dict[str, Any]:
    """Return the alarms that every stack with this consumer has."""
    return consumed_by(consumer, SilenceMails="0").of_type("AWS::CloudWatch::Alarm")


def test_widgets_fill_rows_without_lying_on_each_other(widgets: list[dict[str, Any]]) -> None:
    assert all(not cells(first) & cells(second) for first, second in combinations(widgets, 2))
    assert {x for widget in widgets for x, _ in cells(widget)} == set(range(COLUMNS))
    assert len(set().union(*map(cells, widgets))) == COLUMNS * max(widget["y"] + widget["height"] for widget in widgets)


def test_a_widget_has_a_title_and_knows_its_region(widgets: list[dict[str, Any]]) -> None:
    text, *others = widgets
    assert "mailfold doctor" in text["properties"]["markdown"]
    for widget in others:
        assert widget["properties"]["title"]
        assert widget["type"] == "alarm" or widget["properties"]["region"] == REGION


def test_every_alarm_of_every_stack_is_on_it(consumer: str, widgets: list[dict[str, Any]]) -> None:
    (widget,) = [widget for widget in widgets if widget["type"] == "alarm"]
    assert sorted(widget["properties"]["alarms"]) == sorted(f"{{{name}.Arn}}" for name in alarms(consumer))


def test_the_counts_on_it_are_ones_that_are_published(drawn: list[list[str]], published: set[Metric]) -> None:
    own = [line for line in drawn if line[0] == NAMESPACE]
    assert {(namespace, name, service) for namespace, name, _, service in own} <= published
    assert {dimension for _, _, dimension, _ in own} == {"service"}


def test_events_of_every_kind_are_on_it(drawn: list[list[str]]) -> None:
    shown = {
        name for namespace, name, *rest in drawn if namespace == NAMESPACE and rest == ["service", f"{NAME}-transform"]
    }
    assert shown >= {f"{kind.title().replace('_', '')}Events" for kind in EventKind}


def test_what_the_alarms_watch_is_on_it(consumer: str, drawn: list[list[str]]) -> None:
    watched = {(alarm["Namespace"], alarm["MetricName"]) for alarm in alarms(consumer).values()}
    # Rare events have an alarm only.
    watched -= {("AWS/Lambda", "DestinationDeliveryFailures"), ("AWS/Events", "InvocationsFailedToBeSentToDlq")}
    assert watched <= {(line[0], line[1]) for line in drawn}


def test_a_containers_load_and_its_warnings_are_on_it(
    consumer: str, widgets: list[dict[str, Any]], drawn: list[list[str]]
) -> None:
    (log,) = [widget for widget in widgets if widget["type"] == "log"]
    assert ("{ConsumerLogs}" in log["properties"]["query"]) == (consumer == "container")
    assert any(line[0] == "AWS/ECS" for line in drawn) == (consumer == "container")


def test_the_lines_drawn_across_are_where_the_alarms_are(widgets: list[dict[str, Any]]) -> None:
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
            + [alarms[f"{name}LateAlarm"]["Threshold"] for name in ("Log", "Feedback")]
        )
    )
