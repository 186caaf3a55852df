"""Feedback as EventBridge puts it into the stream: a bounce and a complaint for each of many recipients."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import count
from threading import Event, Thread
from typing import Any

from tests.support.builders import a_bounce, a_complaint, in_eventbridge

RECIPIENTS_PER_CALL = 5
INTERVAL_SECONDS = 0.5
JOIN_SECONDS = 300.0

_numbers = count()


def feedback(recipients: int) -> list[bytes]:
    """Return two records for each of so many new recipients."""
    return [record for _ in range(recipients) for record in _records_of_a_recipient()]


@contextmanager
def under_load(put: Callable[[Sequence[bytes]], None]) -> Iterator[None]:
    """Put records into the stream, from another thread, until the block ends."""
    stop = Event()

    def run() -> None:
        while not stop.wait(INTERVAL_SECONDS):
            put(feedback(RECIPIENTS_PER_CALL))

    thread = Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(JOIN_SECONDS)


def _records_of_a_recipient() -> Iterator[bytes]:
    number = next(_numbers)
    names: dict[str, Any] = {"recipients": [f"person.{number}@example.com"], "messageId": f"m-{number}"}
    yield in_eventbridge(a_bounce(**names, feedback_id=f"bounce-{number}"))
    yield in_eventbridge(a_complaint(**names, feedback_id=f"complaint-{number}"), detail_type="Email Complaint")
