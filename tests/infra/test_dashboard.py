"""The dashboard: it can be drawn, and draws what there is."""

import json
from collections.abc import Iterator
from itertools import combinations
from typing import Any

import pytest

from pipeline.aws.metric import NAMESPACE
from pipeline.event import Kind
from tests.infra.cloudformation import NAME, REGION, stack
from tests.infra.conftest import Metric

BODY = json.loads(stack().properties("Dashboard")["DashboardBody"])
WIDGETS: list[dict[str, Any]] = BODY["widgets"]
COLUMNS = 24  # docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html


def cells(widget: dict[str, Any]) -> set[tuple[int, int]]:
    return {
        (x, y)
        for x in range(widget["x"], widget["x"] + widget["width"])
        for y in range(widget["y"], widget["y"] + widget["height"])
    }


def series(widget: dict[str, Any]) -> Iterator[list[str]]:
    """Give namespace, name and dimensions of each line, its abbreviations written out."""
    before: list[str] = []
    for metric in widget["properties"].get("metrics", ()):
        texts = [part for part in metric if isinstance(part, str)]
        if not texts:
            continue
        if texts[0] == "...":
            texts = [*before[: 1 - len(texts)], *texts[1:]]
        before = [before[place] if text == "." else text for place, text in enumerate(texts)]
        yield before


def drawn() -> list[list[str]]:
    return [line for widget in WIDGETS for line in series(widget)]


def test_widgets_fill_rows_without_lying_on_each_other() -> None:
    assert all(not cells(one) & cells(other) for one, other in combinations(WIDGETS, 2))
    assert {x for widget in WIDGETS for x, _ in cells(widget)} == set(range(COLUMNS))
    assert len(set().union(*map(cells, WIDGETS))) == COLUMNS * max(widget["y"] + widget["height"] for widget in WIDGETS)


@pytest.mark.parametrize("widget", WIDGETS, ids=lambda widget: widget["properties"].get("title", "text"))
def test_a_widget_has_a_title_and_knows_its_region(widget: dict[str, Any]) -> None:
    if widget["type"] == "text":
        assert "mailfold doctor" in widget["properties"]["markdown"]
        return
    assert widget["properties"]["title"]
    assert widget["type"] == "alarm" or widget["properties"]["region"] == REGION


def test_every_alarm_of_every_stack_is_on_it() -> None:
    (widget,) = [widget for widget in WIDGETS if widget["type"] == "alarm"]
    alarms = stack(SilenceMails="0").of_type("AWS::CloudWatch::Alarm")  # the others are there only sometimes
    assert sorted(widget["properties"]["alarms"]) == sorted(f"{{{name}.Arn}}" for name in alarms)


def test_the_counts_on_it_are_ones_that_the_functions_publish(published: set[Metric]) -> None:
    ours = [line for line in drawn() if line[0] == NAMESPACE]
    assert {(namespace, name, service) for namespace, name, _, service in ours} <= published
    assert {dimension for _, _, dimension, _ in ours} == {"service"}


def test_events_of_every_kind_are_on_it() -> None:
    shown = {
        name
        for namespace, name, *rest in drawn()
        if namespace == NAMESPACE and rest == ["service", f"{NAME}-transform"]
    }
    assert shown >= {f"{kind.title().replace('_', '')}Events" for kind in Kind}


def test_what_the_alarms_watch_is_on_it() -> None:
    watched = {
        (alarm["Namespace"], alarm["MetricName"])
        for alarm in stack(SilenceMails="0").of_type("AWS::CloudWatch::Alarm").values()
    }
    # What happens once in years has its alarm only.
    watched -= {("AWS/Lambda", "DestinationDeliveryFailures"), ("AWS/Events", "InvocationsFailedToBeSentToDlq")}
    assert watched <= {(line[0], line[1]) for line in drawn()}


def test_the_lines_drawn_across_are_where_the_alarms_are() -> None:
    alarms = stack().of_type("AWS::CloudWatch::Alarm")
    lines = sorted(
        line["value"]
        for widget in WIDGETS
        for line in widget["properties"].get("annotations", {}).get("horizontal", ())
    )
    thresholds = [
        alarms[f"{rate}Rate{grade}Alarm"]["Threshold"]
        for rate in ("Bounce", "Complaint")
        for grade in ("Warning", "Page")
    ]
    assert lines == pytest.approx(
        sorted(
            [100 * each for each in thresholds]
            + [alarms[f"{name}LateAlarm"]["Threshold"] for name in ("Log", "Feedback")]
        )
    )
