"""Records that go on coming, from a thread of its own."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Event, Thread

from tests.acceptance.kcl.feedback import feedback
from tests.acceptance.kcl.scenario import World

PEOPLE_PER_CALL = 5
EVERY_SECONDS = 0.5
JOIN_SECONDS = 30.0


@contextmanager
def under_load(world: World) -> Iterator[None]:
    """Put records into the stream until it is left."""
    stop = Event()

    def put() -> None:
        while not stop.wait(EVERY_SECONDS):
            world.put(feedback(PEOPLE_PER_CALL))

    thread = Thread(target=put)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(JOIN_SECONDS)
