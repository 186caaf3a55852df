"""Records put into the deployed Firehose pass the transform and become rows of the log."""

from datetime import UTC, datetime

import pytest

from pipeline.decode import decode
from pipeline.event import Event
from pipeline.row import Row, to_row
from tests.acceptance.deployment.deployment import Deployment
from tests.support.builders import one_of_each
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow


def test_a_record_of_each_type_becomes_its_row(deployment: Deployment) -> None:
    """Every type of event becomes the row that the code makes of it."""
    records = one_of_each().values()
    events = [outcome for record in records for outcome in decode(record) if isinstance(outcome, Event)]
    started_at = datetime.now(UTC).replace(microsecond=0)  # rows have milliseconds
    deployment.client("firehose").put_record_batch(
        DeliveryStreamName=deployment["DeliveryStream"], Records=[{"Data": record + b"\n"} for record in records]
    )

    def arrived() -> dict[str, Row]:
        rows = {row.event_id: row for row in deployment.rows()}
        return rows if {event.id for event in events} <= rows.keys() else {}

    rows = eventually(arrived, what="all rows")
    assert len(events) == len(records)
    for event in events:
        arrived_at = rows[event.id].arrived_at
        assert started_at <= arrived_at <= datetime.now(UTC)
        assert rows[event.id] == to_row(event, arrived_at=arrived_at)
