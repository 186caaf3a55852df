"""The projector, called by a topic: an error says that the notification is not done."""

import pytest

from pipeline.errors import Unavailable
from pipeline.memory import MemoryStore
from tests.support.lambda_events import an_sns_event
from tests.support.projector_call import PEOPLE, Flaky, Log, a_bounce_of, addresses, failures


def test_a_notification_is_projected_and_put_into_the_log() -> None:
    store, log = MemoryStore(), Log()
    assert failures(an_sns_event(a_bounce_of(0)), store=store, log=log) == []
    assert (addresses(store), log.payloads) == (PEOPLE[:1], [a_bounce_of(0)])


@pytest.mark.parametrize(("saves", "room"), [(0, 1), (1, 0), (-1, 1)])
def test_a_notification_that_is_not_done_is_an_error_for_lambda_to_try_again(saves: int, room: int) -> None:
    store, log = Flaky(saves), Log(room)
    with pytest.raises(Unavailable, match="is away"):
        failures(an_sns_event(a_bounce_of(0)), store=store, log=log)

    store.saves_left, log.room = 9, 9
    assert failures(an_sns_event(a_bounce_of(0)), store=store, log=log) == []
    assert (addresses(store), log.payloads) == (PEOPLE[:1], [a_bounce_of(0)])
