"""Run several functions in threads, one step at a time, in an order that a test draws."""

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor

from pipeline.errors import MailfoldError
from pipeline.ports import Item, Put, SuppressionStore
from pipeline.standing import Key

TURN_SECONDS = 60.0  # a hang, not a slow machine

Pause = Callable[[], None]
"""Ends a step: returns when it is the function's turn again."""


def take_turns(works: Sequence[Callable[[Pause], None]], choices: Iterable[int]) -> None:
    """Run functions step by step. Each choice is the number of the one that goes on; then the first one does."""
    turns = [threading.Semaphore(0) for _ in works]
    step_ended, ended = threading.Semaphore(0), set[int]()

    def await_turn(number: int) -> None:
        assert turns[number].acquire(timeout=TURN_SECONDS)

    def run(number: int) -> None:
        def pause() -> None:
            step_ended.release()
            await_turn(number)

        await_turn(number)
        try:
            works[number](pause)
        finally:
            ended.add(number)
            step_ended.release()

    with ThreadPoolExecutor(len(works)) as pool:
        futures = [pool.submit(run, number) for number in range(len(works))]
        drawn = iter(choices)
        while running := [number for number in range(len(works)) if number not in ended]:
            turns[running[next(drawn, 0) % len(running)]].release()
            assert step_ended.acquire(timeout=TURN_SECONDS)
        for future in futures:
            future.result()


class SteppedStore:
    """A table whose calls are steps; a save is one for each item. See `ports.SuppressionStore`."""

    def __init__(self, store: SuppressionStore, pause: Pause) -> None:
        self._store, self._pause = store, pause

    def load(self, keys: Iterable[Key]) -> Mapping[Key, Item]:
        """Load after a pause."""
        self._pause()
        return self._store.load(keys)

    def save(self, puts: Sequence[Put]) -> Mapping[Key, MailfoldError]:
        """Save each item after a pause."""
        errors: dict[Key, MailfoldError] = {}
        for put in puts:
            self._pause()
            errors |= self._store.save([put])
        return errors

    def scan(self) -> Iterator[tuple[Key, Item]]:
        """Yield each item after a pause. Others are written meanwhile, and are seen or not."""
        self._pause()
        for item in self._store.scan():
            yield item
            self._pause()
