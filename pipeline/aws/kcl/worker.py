"""A daemon that is started again whenever it ends, after ever longer pauses, until it is told to stop."""

import time
from collections.abc import Callable
from threading import Event, Lock

from pipeline.aws.kcl.condition import Condition
from pipeline.aws.kcl.daemon import Daemon
from pipeline.aws.kcl.health import decode_health
from pipeline.aws.kcl.heartbeat import is_heartbeat
from pipeline.aws.retry import spread
from pipeline.errors import Outage

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
        condition: Condition,
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
            Outage: The daemon had to be started again too often. Nothing is lost: what is not done is read again.
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
            raise Outage(f"the daemon ended {failures} times in a row, the last time with exit code {code}")
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
    return spread(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(failures - 1, 16)))
