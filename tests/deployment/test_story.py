"""E-mails are sent with the deployed configuration set, and the commands tell what became of them."""

from functools import partial

import pytest

from pipeline.decode import decode
from pipeline.event import Event
from pipeline.policy import Reason
from tests.deployment.deployment import Deployment
from tests.deployment.edge import Ses
from tests.deployment.waiting import eventually

pytestmark = pytest.mark.slow

BOUNCES, COMPLAINS, SUCCEEDS = "bounce@story.example", "complaint@story.example", "success@story.example"


def test_every_event_reaches_the_log_and_bounces_and_complaints_the_table(deployment: Deployment) -> None:
    events = Ses(deployment).send(BOUNCES, COMPLAINS, SUCCEEDS)
    expected = {outcome.id for event in events for outcome in decode(event) if isinstance(outcome, Event)}
    eventually(lambda: expected <= {row.event_id for row in deployment.rows()}, what="all events in the log")
    for address, reason in ((BOUNCES, Reason.HARD), (COMPLAINS, Reason.COMPLAINT)):
        item = eventually(partial(deployment.item, address), what="the item")
        assert item.verdict.reason == reason
    assert deployment.item(SUCCEEDS) is None
