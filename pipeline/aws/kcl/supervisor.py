"""Runs workers side by side until a signal, or until one of them can go on no longer; then stops them all."""

import time
from collections.abc import Callable, Sequence
from queue import Empty, SimpleQueue
from threading import Thread

from pipeline.aws.kcl.worker import Worker

SLACK_SECONDS = 5.0  # what Java, and the way to its end, take besides the daemon's own grace


class Supervisor:
    """Runs workers, each in a thread of its own."""

    def __init__(self, workers: Sequence[Worker], *, grace_seconds: float, warn: Callable[[str], None]) -> None:
        """Start nothing yet.

        Args:
            workers: What to run.
            grace_seconds: How long daemons give themselves to end in good order. After that, and a little more, they
                are ended by force.
            warn: Is told when that had to be done.
        """
        self._workers, self._warn = workers, warn
        self._patience_seconds = grace_seconds + SLACK_SECONDS
        # A signal's handler may put something into it at any moment; no other queue, and no event, allows that.
        self._inbox: SimpleQueue[BaseException | str | None] = SimpleQueue()

    def stop(self) -> None:
        """Ask for the end; asked a second time, make it come at once. Safe in a signal's handler."""
        self._inbox.put("stop")

    def run(self) -> bool:
        """Run until the end is asked for, or a worker raises, and return whether all ended in good order.

        Raises:
            Outage: What a worker raised; by then the others have ended.
        """
        threads = [
            Thread(target=self._run, args=(worker,), name=f"worker {n}") for n, worker in enumerate(self._workers)
        ]
        for thread in threads:
            thread.start()
        first = self._inbox.get()
        for worker in self._workers:
            worker.stop()
        clean = self._ended(len(threads) - (first != "stop"))
        for thread in threads:
            thread.join()
        if isinstance(first, BaseException):
            raise first
        return clean

    def _run(self, worker: Worker) -> None:
        ended: BaseException | None = None
        try:
            worker.run()
        except BaseException as error:  # noqa: BLE001 - it is raised by `run`
            ended = error
        self._inbox.put(ended)

    def _ended(self, running: int) -> bool:
        """Wait until none runs any more, and return whether none had to be ended by force."""
        clean, end_s = True, time.monotonic() + self._patience_seconds
        while running:
            try:
                asked = self._inbox.get(timeout=max(0.0, end_s - time.monotonic()) if clean else None) == "stop"
            except Empty:
                asked = True
            if not asked:
                running -= 1
            elif clean:
                clean = False
                self._warn("daemons that have not ended yet are ended by force; what they had not done is read again")
                for worker in self._workers:
                    worker.kill()
        return clean
