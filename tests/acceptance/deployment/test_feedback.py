"""Records on the deployed stream: facts become items of the table, and poison is quarantined."""

from functools import partial

import msgspec
import pytest

from pipeline.aws.quarantine import QuarantineObject
from pipeline.batch import group_by_key
from pipeline.decode import decode
from pipeline.event import Event
from pipeline.fact import facts
from tests.acceptance.deployment.deployment import Deployment
from tests.support.builders import a_bounce, a_complaint, a_decision, in_eventbridge
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


def test_an_event_becomes_the_item_of_the_fold(deployment: Deployment) -> None:
    """The stored standing equals the fold of the event's facts."""
    bounce = a_bounce(recipients=["ann@feedback.example"])
    deployment.feed(in_eventbridge(bounce))
    [event] = decode(bounce)
    assert isinstance(event, Event)
    item = eventually(lambda: deployment.item("ann@feedback.example"), what="the item")
    assert [item.standing] == list(group_by_key(facts(event)).values())
    assert item.verdict.suppressed


def test_poison_is_quarantined_and_its_neighbours_are_stored(deployment: Deployment) -> None:
    """Records before and after the poison become items."""
    before, poison, after = "before@poison.example", b"poison that stops nothing", "after@poison.example"
    deployment.feed(a_complaint(recipients=[before]), poison, a_decision(address=after))
    for address in (before, after):
        eventually(partial(deployment.item, address), what="the item beside the poison")
    quarantined = [
        msgspec.json.decode(deployment.read(key), type=QuarantineObject) for key in deployment.objects("quarantine/")
    ]
    assert poison in [document.payload_base64 for document in quarantined]
