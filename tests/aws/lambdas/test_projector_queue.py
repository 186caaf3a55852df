"""The projector, fed by a queue: from the first message that is not done on, all stay in it."""

import pytest

from pipeline.memory import MemoryQuarantine, MemoryStore
from tests.support.builders import in_sns
from tests.support.lambda_events import a_kinesis_event, an_sqs_event, message_id
from tests.support.projector_call import PEOPLE, POISON, Flaky, Log, a_bounce_of, addresses, failures


@pytest.mark.parametrize("saves", range(5))
def test_an_outage_of_the_table_leaves_every_message_from_the_first_undone_one_on_in_the_queue(saves: int) -> None:
    store, log = Flaky(saves), Log()
    bodies = [*map(a_bounce_of, range(5))]

    assert failures(an_sqs_event(*bodies), store=store, log=log) == [message_id(n) for n in range(saves, 5)]
    assert addresses(store) == PEOPLE[:saves]
    assert log.payloads == bodies[:saves]


@pytest.mark.parametrize("room", range(5))
def test_an_outage_of_the_log_leaves_every_message_that_it_did_not_get_in_the_queue(room: int) -> None:
    store, log = MemoryStore(), Log(room)
    bodies = [*map(a_bounce_of, range(5))]

    assert failures(an_sqs_event(*bodies), store=store, log=log) == [message_id(n) for n in range(room, 5)]
    assert addresses(store) == PEOPLE[:5]
    assert log.payloads == bodies[:room]


@pytest.mark.parametrize(("saves", "room", "failed"), [(3, 1, 1), (1, 3, 1), (2, 2, 2), (0, 0, 0)])
def test_of_two_outages_the_earlier_record_counts(saves: int, room: int, failed: int) -> None:
    log = Log(room)
    event = an_sqs_event(*map(a_bounce_of, range(5)))
    assert failures(event, store=Flaky(saves), log=log) == [message_id(n) for n in range(failed, 5)]
    assert len(log.payloads) == failed


def test_tried_until_all_is_done_the_log_has_each_record_once_and_the_table_ends_as_in_one_go() -> None:
    store, log, one_go = Flaky(1), Log(2), MemoryStore()
    event = an_sqs_event(*map(a_bounce_of, (0, 1, 2, 0, 3)))
    for _ in range(9):
        failed = set(failures(event, store=store, log=log))
        event = {"Records": [one for one in event["Records"] if one["messageId"] in failed]}
        store.saves_left, log.room = 1, log.room + 1

    assert event == {"Records": []}
    assert log.payloads == [*map(a_bounce_of, (0, 1, 2, 0, 3))]
    failures(a_kinesis_event(*log.payloads), store=one_go)
    assert dict(store.scan()) == dict(one_go.scan())


def test_poison_in_a_queue_is_set_aside_with_its_place_and_passed() -> None:
    store, quarantine = MemoryStore(), MemoryQuarantine()
    event = an_sqs_event(a_bounce_of(0), POISON, in_sns(a_bounce_of(1)))

    assert failures(event, store=store, quarantine=quarantine) == []
    assert addresses(store) == PEOPLE[:2]
    (held,) = quarantine.held
    assert held.position == f"mailfold-NotificationQueue-1A2B {message_id(1)}"
