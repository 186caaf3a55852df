"""The projector, invoked by a queue or a topic: what is not done stays in the queue, or is an error of SNS's event."""

from collections.abc import Callable
from typing import Any

import pytest

from pipeline.aws.lambdas.transform import transform
from pipeline.errors import AccessDenied, NotFound, Unavailable
from pipeline.memory import MemoryQuarantine, MemoryStore
from tests.support.builders import OCCURRED_AT, a_decision, dumped, in_firehose, in_sns
from tests.support.lambda_events import a_firehose_event, a_kinesis_event, an_sns_event, an_sqs_event, message_id
from tests.support.projector_call import (
    PEOPLE,
    POISON,
    FakeLog,
    LimitedStore,
    a_bounce_of,
    run_projector,
    suppressed_addresses,
)


def in_message(body: bytes) -> bytes:
    """Return a payload of a queue as the log gets it: in the message's envelope."""
    return dumped({"Body": body.decode()})


@pytest.mark.parametrize("saves", range(5))
def test_a_table_outage_keeps_later_messages_in_the_queue(saves: int) -> None:
    """From the first message that is not done on, every message is reported, and none of them is in the log."""
    store, log = LimitedStore(saves), FakeLog()
    bodies = [*map(a_bounce_of, range(5))]

    assert run_projector(an_sqs_event(*bodies), store=store, log=log) == [message_id(n) for n in range(saves, 5)]
    assert suppressed_addresses(store) == PEOPLE[:saves]
    assert log.payloads == [*map(in_message, bodies[:saves])]


@pytest.mark.parametrize("room", range(5))
def test_a_log_outage_keeps_later_messages_in_the_queue(room: int) -> None:
    """A message that the log did not get is reported, although the table has it."""
    store, log = MemoryStore(), FakeLog(room)
    bodies = [*map(a_bounce_of, range(5))]

    assert run_projector(an_sqs_event(*bodies), store=store, log=log) == [message_id(n) for n in range(room, 5)]
    assert suppressed_addresses(store) == PEOPLE[:5]
    assert log.payloads == [*map(in_message, bodies[:room])]


@pytest.mark.parametrize(("saves", "room", "failed"), [(3, 1, 1), (1, 3, 1), (2, 2, 2), (0, 0, 0)])
def test_the_earlier_of_two_outages_counts(saves: int, room: int, failed: int) -> None:
    """Messages are reported from the first that table or log does not have."""
    log = FakeLog(room)
    event = an_sqs_event(*map(a_bounce_of, range(5)))
    assert run_projector(event, store=LimitedStore(saves), log=log) == [message_id(n) for n in range(failed, 5)]
    assert len(log.payloads) == failed


def test_retries_put_each_message_into_the_log_once() -> None:
    """After retries the log has each message once, and the table is as without any outage."""
    store, log, store_without_outage = LimitedStore(1), FakeLog(2), MemoryStore()
    event = an_sqs_event(*map(a_bounce_of, (0, 1, 2, 0, 3)))
    for _ in range(9):
        failed = set(run_projector(event, store=store, log=log))
        event = {"Records": [message for message in event["Records"] if message["messageId"] in failed]}
        store.saves_left, log.room = 1, log.room + 1

    assert event == {"Records": []}
    assert log.payloads == [in_message(a_bounce_of(number)) for number in (0, 1, 2, 0, 3)]
    run_projector(a_kinesis_event(*log.payloads), store=store_without_outage)
    assert dict(store.scan()) == dict(store_without_outage.scan())


def test_poison_in_a_queue_is_quarantined() -> None:
    """Its position names queue and message, and the other messages are done."""
    store, quarantine = MemoryStore(), MemoryQuarantine()
    event = an_sqs_event(a_bounce_of(0), POISON, in_sns(a_bounce_of(1)))

    assert run_projector(event, store=store, quarantine=quarantine) == []
    assert suppressed_addresses(store) == PEOPLE[:2]
    (held,) = quarantine.held
    assert held.position == f"mailfold-NotificationQueue-1A2B {message_id(1)}"


# From a topic.


def test_a_notification_is_stored_in_table_and_log() -> None:
    """SNS's event has one record, which both get."""
    store, log = MemoryStore(), FakeLog()
    assert run_projector(an_sns_event(a_bounce_of(0)), store=store, log=log) == []
    assert (suppressed_addresses(store), log.payloads) == (PEOPLE[:1], [dumped({"Message": a_bounce_of(0).decode()})])


@pytest.mark.parametrize(("saves", "room"), [(0, 1), (1, 0), (-1, 1)])
def test_an_outage_is_an_error_of_the_notification(saves: int, room: int) -> None:
    """Lambda tries an SNS event again after an error, and the retry stores it in table and log."""
    store, log = LimitedStore(saves), FakeLog(room)
    with pytest.raises(Unavailable, match="is unavailable"):
        run_projector(an_sns_event(a_bounce_of(0)), store=store, log=log)

    store.saves_left, log.room = 9, 9
    assert run_projector(an_sns_event(a_bounce_of(0)), store=store, log=log) == []
    assert (suppressed_addresses(store), log.payloads) == (PEOPLE[:1], [dumped({"Message": a_bounce_of(0).decode()})])


@pytest.mark.parametrize("error", [AccessDenied("AWS denies it"), NotFound("no table")])
def test_a_denied_or_missing_table_loses_no_notification(error: AccessDenied | NotFound) -> None:
    """SNS's event ends in that error, and the log does not get what the table does not have."""
    log = FakeLog()
    with pytest.raises(type(error)):
        run_projector(an_sns_event(a_bounce_of(0)), store=LimitedStore(0, error), log=log)
    assert log.payloads == []


# From either.


@pytest.mark.parametrize("an_event", [an_sqs_event, an_sns_event])
@pytest.mark.parametrize("wrap", [bytes, in_sns, in_firehose])
def test_a_decision_in_a_message_changes_neither_table_nor_log(
    an_event: Callable[..., dict[str, Any]], wrap: Callable[[bytes], bytes]
) -> None:
    """Publishing to the topic is no permission to release an address: it is quarantined, and fails in the transform."""
    store, log, quarantine = MemoryStore(), FakeLog(), MemoryQuarantine()
    event = an_event(wrap(a_decision(action="suppress", address=PEOPLE[0])))
    assert run_projector(event, store=store, log=log, quarantine=quarantine) == []
    assert (suppressed_addresses(store), len(quarantine.held)) == ([], 1)
    [result] = transform(a_firehose_event(*log.payloads), now=OCCURRED_AT)["records"]
    assert result["result"] == "ProcessingFailed"
