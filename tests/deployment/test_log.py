"""What is put into the deployed Firehose: it reaches the transform, and a row of the log stands in the bucket."""

from datetime import UTC, datetime
from functools import partial

import pytest

from pipeline.decode import decode
from pipeline.event import Event
from pipeline.row import Row
from tests.builders import a_bounce, a_delivery
from tests.deployment.deployment import Deployment
from tests.deployment.waiting import eventually

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("record", [a_delivery(subject="log"), a_bounce(feedback_id="log")], ids=["delivery", "bounce"])
def test_a_record_becomes_a_row(deployment: Deployment, record: bytes) -> None:
    [event] = decode(record)
    assert isinstance(event, Event)
    began_at = datetime.now(UTC)
    deployment.client("firehose").put_record(
        DeliveryStreamName=deployment["DeliveryStream"], Record={"Data": record + b"\n"}
    )
    row = eventually(partial(row_of, deployment, event.id), what="the row")
    assert row.raw == record.decode()
    assert row.recipients == event.recipients
    assert row.arrived_at >= began_at


def row_of(deployment: Deployment, event_id: str) -> Row | None:
    return next((row for row in deployment.rows() if row.event_id == event_id), None)
