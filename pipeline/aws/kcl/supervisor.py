"""Supervisor of the workers on this host: run them until a signal, or until one fails, then stop them all.

A worker restarts its daemon whenever that ends, after ever longer pauses. Nothing is lost in between: what was not
checkpointed is read again.
"""

import select
import socket
import time
from collections.abc import Callable, Sequence
from itertools import islice
from threading import Event, Lock, Thread
from typing import Self

from pipeline.aws.kcl.daemon import Daemon
from pipeline.aws.kcl.health import decode_health, is_heartbeat
from pipeline.aws.kcl.health_monitor import HealthMonitor
from pipeline.aws.retry import waits_seconds
from pipeline.errors import Unavailable

SLACK_SECONDS = 5.0  # Java's own start and end take this long beside the daemon's grace
WORKER_ENDED, STOP = b"\0", b"\1"

FIRST_PAUSE_SECONDS = 1.0
LONGEST_PAUSE_SECONDS = 60.0
# A daemon that worked this long counts as no failure in a row. One that never worked may run for longer: the KCL tries
# to reach DynamoDB for five minutes.
STABLE_SECONDS = 300.0


class Supervisor:
    """Runs workers, each in its own thread. A context manager.

    Attributes:
        stop_socket: Any byte but 0 sent into it requests the end. The kernel can send one for a signal
            (`signal.set_wakeup_fd`). A signal handler in Python may run too late, while a thread waits for a lock.
    """

    def __init__(self, workers: "Sequence[Worker]", *, grace_seconds: float, warn: Callable[[str], None]) -> None:
        """Start nothing yet.

        Args:
            workers: The workers to run.
            grace_seconds: Time that daemons have to end in order. They are killed `SLACK_SECONDS` after that.
            warn: Receives a warning if they are killed.
        """
        self._workers, self._warn = workers, warn
        self._stop_seconds = grace_seconds + SLACK_SECONDS
        self._receiver, self.stop_socket = socket.socketpair()
        self.stop_socket.setblocking(False)
        self._errors: list[BaseException] = []

    def __enter__(self) -> Self:
        """Return the supervisor."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the sockets."""
        self.stop_socket.close()
        self._receiver.close()

    def stop(self) -> None:
        """Request the end. A second request kills the daemons."""
        self.stop_socket.send(STOP)

    def fail(self, error: Exception) -> None:
        """Request the end. `run` raises the error."""
        self._errors.append(error)
        self.stop()

    def run(self) -> bool:
        """Run until the end is requested or a worker fails. Return True if all daemons ended in order.

        Raises:
            MailfoldError: A worker failed, or `fail` was called. All workers have ended.
        """
        threads = [Thread(target=self._run_worker, args=(worker,)) for worker in self._workers]
        for thread in threads:
            thread.start()
        running = len(threads) - (self._receive() == WORKER_ENDED)
        for worker in self._workers:
            worker.stop()
        in_order = self._await_end(running)
        for thread in threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        return in_order

    def _run_worker(self, worker: "Worker") -> None:
        try:
            worker.run()
        except BaseException as error:  # noqa: BLE001 - `run` raises it in the main thread
            self._errors.append(error)
        self.stop_socket.send(WORKER_ENDED)

    def _receive(self, timeout_seconds: float | None = None) -> bytes:
        """Return the next byte sent into the socket, or nothing after the time-out."""
        ready, _, _ = select.select([self._receiver], [], [], timeout_seconds)
        return self._receiver.recv(1) if ready else b""

    def _await_end(self, running: int) -> bool:
        """Wait until no worker runs, and return True if no daemon was killed."""
        in_order, deadline_seconds = True, time.monotonic() + self._stop_seconds
        while running:
            if self._receive(max(0.0, deadline_seconds - time.monotonic()) if in_order else None) == WORKER_ENDED:
                running -= 1
            elif in_order:
                in_order = False
                self._warn("killing the daemons that still run; their unfinished records are read again")
                for worker in self._workers:
                    worker.kill()
        return in_order


class Worker:
    """Runs one daemon after another, in the thread that calls `run`."""

    def __init__(
        self,
        number: int,
        *,
        start: Callable[[int], Daemon],
        monitor: HealthMonitor,
        show: Callable[[bytes], None],
        warn: Callable[[str], None],
        max_restarts: int | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Start nothing yet.

        Args:
            number: Its number on this host, from 0.
            start: Starts its daemon.
            monitor: Receives the daemon's health.
            show: Receives the lines for people to read.
            warn: Receives a message when the daemon ends.
            max_restarts: How often in a row a daemon is restarted; None: without limit.
            clock: Monotonic seconds.
        """
        self._number, self._start = number, start
        self._monitor, self._show, self._warn = monitor, show, warn
        self._max_restarts, self._clock = max_restarts, clock
        self._stopping, self._lock = Event(), Lock()
        self._daemon: Daemon | None = None
        self._works_since_seconds: float | None = None

    def run(self) -> None:
        """Run daemons until `stop`.

        Raises:
            Unavailable: The daemon failed too often in a row. Nothing is lost: unfinished records are read again.
        """
        failures = 0
        while not self._stopping.is_set():
            self._works_since_seconds = None
            code = self._run_daemon()
            if self._stopping.is_set():
                return
            failures = 1 if self._was_stable() else failures + 1
            self._monitor.record_exit(self._number, exit_code=code)
            if self._stopping.wait(self._pause_seconds(failures, code)):
                return
            self._monitor.record_restart(self._number)

    def stop(self) -> None:
        """Request an orderly end of the daemon, and start no other."""
        with self._lock:
            self._stopping.set()
            if self._daemon:
                self._daemon.stop()

    def kill(self) -> None:
        """Kill the daemon. Call `stop` first."""
        with self._lock:
            if self._daemon:
                self._daemon.kill()

    def _run_daemon(self) -> int:
        """Run a daemon to its end, and return its exit code; 0 if `stop` came first."""
        with self._lock:
            if self._stopping.is_set():
                return 0
            self._daemon = self._start(self._number)
        try:
            for line in self._daemon.lines():
                self._handle_line(line)
        finally:
            code = self._daemon.wait()
        return code

    def _handle_line(self, line: bytes) -> None:
        """Record a heartbeat or a report; show any other line, and a report that changes a shard's state."""
        report, heartbeat = decode_health(line), is_heartbeat(line)
        if self._works_since_seconds is None and (report or heartbeat):
            self._works_since_seconds = self._clock()
        if heartbeat:
            self._monitor.record_heartbeat(self._number)
        elif report is None or self._monitor.record_report(self._number, report):
            self._show(line)

    def _was_stable(self) -> bool:
        started = self._works_since_seconds
        return started is not None and self._clock() - started >= STABLE_SECONDS

    def _pause_seconds(self, failures: int, code: int) -> float:
        """Return the pause before the next start, and announce it."""
        if self._max_restarts is not None and failures > self._max_restarts:
            raise Unavailable(
                f"the daemon failed {failures} times in a row, the last time with exit code {code}: read its log above"
            )
        seconds = pause_seconds(failures)
        self._warn(f"daemon {self._number} ended with exit code {code}; it restarts in {seconds:.1f} s")
        return seconds


def pause_seconds(failures: int) -> float:
    """Return the pause after a number of failures: doubled for each, less a random part."""
    waits = waits_seconds(FIRST_PAUSE_SECONDS, longest_seconds=LONGEST_PAUSE_SECONDS)
    return next(islice(waits, failures - 1, None))
