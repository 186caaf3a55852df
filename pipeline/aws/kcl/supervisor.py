"""Runs workers side by side until a signal, or until one of them can go on no longer; then stops them all."""

import select
import socket
import time
from collections.abc import Callable, Sequence
from threading import Thread
from typing import Self

from pipeline.aws.kcl.worker import Worker

SLACK_SECONDS = 5.0  # what Java, and the way to its end, take besides the daemon's own grace
ENDED, STOP = b"\0", b"\1"


class Supervisor:
    """Runs workers, each in a thread of its own. To be entered, and left when it is done.

    Attributes:
        doorbell: A socket: any byte but 0 that is sent into it asks for the end. The kernel may ring it for a signal
            (`signal.set_wakeup_fd`), which wakes a thread that waits for a lock in some cases only.
    """

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
        self._door, self.doorbell = socket.socketpair()
        self.doorbell.setblocking(False)
        self._errors: list[BaseException] = []

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the door."""
        self.doorbell.close()
        self._door.close()

    def stop(self) -> None:
        """Ask for the end; asked a second time, make it come at once."""
        self.doorbell.send(STOP)

    def run(self) -> bool:
        """Run until the end is asked for, or a worker raises, and return whether all ended in good order.

        Raises:
            Outage: What a worker raised; by then the others have ended.
        """
        threads = [Thread(target=self._run, args=(worker,)) for worker in self._workers]
        for thread in threads:
            thread.start()
        running = len(threads) - (self._rung() == ENDED)
        for worker in self._workers:
            worker.stop()
        clean = self._ended(running)
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        return clean

    def _run(self, worker: Worker) -> None:
        try:
            worker.run()
        except BaseException as error:  # noqa: BLE001 - it is raised by `run`
            self._errors.append(error)
        self.doorbell.send(ENDED)

    def _rung(self, timeout_seconds: float | None = None) -> bytes:
        """Wait for the bell, and return what it was rung for; nothing, if it was not for so long."""
        ready, _, _ = select.select([self._door], [], [], timeout_seconds)
        return self._door.recv(1) if ready else b""

    def _ended(self, running: int) -> bool:
        """Wait until none runs any more, and return whether none had to be ended by force."""
        clean, end_s = True, time.monotonic() + self._patience_seconds
        while running:
            if self._rung(max(0.0, end_s - time.monotonic()) if clean else None) == ENDED:
                running -= 1
            elif clean:
                clean = False
                self._warn("daemons that have not ended yet are ended by force; what they had not done is read again")
                for worker in self._workers:
                    worker.kill()
        return clean
