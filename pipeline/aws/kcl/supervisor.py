"""Runs workers side by side until a signal, or until one of them can go on no longer; then stops them all.

A daemon that is started again whenever it ends, after ever longer pauses, until it is told to stop.
"""

import select
import socket
import time
from collections.abc import Callable, Sequence
from itertools import islice
from threading import Event, Lock, Thread
from typing import Self

from pipeline.aws.kcl.daemon import Daemon
from pipeline.aws.kcl.health import HealthMonitor, decode_health, is_heartbeat
from pipeline.aws.retry import waits_seconds
from pipeline.errors import Unavailable

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
# A daemon that worked for so long is no failure in a row. One that never got to work may take longer to find that out:
# where nobody answers, the KCL tries for five minutes.
CALM_SECONDS = 300.0


class Worker:
    """Runs one daemon after the other, in the thread that calls `run`."""

    def __init__(
        self,
        number: int,
        *,
        start: Callable[[int], Daemon],
        condition: HealthMonitor,
        show: Callable[[bytes], None],
        warn: Callable[[str], None],
        restarts: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start nothing yet.

        Args:
            number: Its number on this host, from 0.
            start: Starts its daemon.
            condition: Is told how that fares.
            show: Is given the lines that are meant to be read.
            warn: Is told what happened to the daemon.
            restarts: How many times in a row the daemon may have to be started again; None: any number.
            clock: Seconds that only go up.
        """
        self._number, self._start = number, start
        self._condition, self._show, self._warn = condition, show, warn
        self._restarts, self._clock = restarts, clock
        self._stopping, self._lock = Event(), Lock()
        self._daemon: Daemon | None = None
        self._works_since_s: float | None = None

    def run(self) -> None:
        """Run daemons until `stop`.

        Raises:
            Unavailable: The daemon had to be started again too often. Nothing is lost: what is not done is read again.
        """
        failures = 0
        while not self._stopping.is_set():
            self._works_since_s = None
            code = self._run_once()
            if self._stopping.is_set():
                return
            failures = 1 if self._worked_long() else failures + 1
            self._condition.ended(self._number, exit_code=code)
            if self._stopping.wait(self._pause(failures, code)):
                return
            self._condition.restarted(self._number)

    def stop(self) -> None:
        """Ask the daemon to end in good order, and start no other."""
        with self._lock:
            self._stopping.set()
            if self._daemon:
                self._daemon.stop()

    def kill(self) -> None:
        """End the daemon at once; after `stop`."""
        with self._lock:
            if self._daemon:
                self._daemon.kill()

    def _worked_long(self) -> bool:
        return self._works_since_s is not None and self._clock() - self._works_since_s >= CALM_SECONDS

    def _pause(self, failures: int, code: int) -> float:
        """Return how long to wait before the daemon is started again, and say so."""
        if self._restarts is not None and failures > self._restarts:
            raise Unavailable(f"the daemon ended {failures} times in a row, the last time with exit code {code}")
        pause_seconds = pause(failures)
        self._warn(f"daemon {self._number} ended with exit code {code}; started again in {pause_seconds:.1f} s")
        return pause_seconds

    def _run_once(self) -> int:
        """Run a daemon to its end, and return its exit code; 0 if it must not even be started."""
        with self._lock:
            if self._stopping.is_set():
                return 0
            self._daemon = self._start(self._number)
        try:
            for line in self._daemon.lines():
                self._hear(line)
        finally:
            code = self._daemon.wait()
        return code

    def _hear(self, line: bytes) -> None:
        """Take in how a shard fares, which is shown where it is news, and that the daemon works; show anything else."""
        health = decode_health(line)
        beats = is_heartbeat(line)
        if self._works_since_s is None and (health or beats):
            self._works_since_s = self._clock()
        if beats:
            self._condition.works(self._number)
        elif health is None or self._condition.heard(self._number, health):
            self._show(line)


def pause(failures: int) -> float:
    """Return how many seconds to wait after so many failures: twice as long each time, less a random part."""
    waits = waits_seconds(FIRST_PAUSE_SECONDS, longest_seconds=LONGEST_PAUSE_SECONDS)
    return next(islice(waits, failures - 1, None))


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
            Unavailable: What a worker raised; by then the others have ended.
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
