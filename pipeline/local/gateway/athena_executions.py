"""The executions of the local Athena: several run at a time, within limits, and the others are QUEUED.

Claims: a statement that runs too long fails, as in Athena. One whose client asks no more is cancelled once another
waits. Results expire.
docs.aws.amazon.com/athena/latest/ug/service-limits.html
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor, wait
from datetime import UTC, datetime
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING, Any

import msgspec

from pipeline.errors import MailfoldError, Unavailable, UsageError, describe
from pipeline.local.athena import SESSIONS, Athena, Session
from pipeline.local.gateway.athena_results import Execution, PreparedStatement, delete_result, save_result
from pipeline.local.gateway.athena_rows import ResultRows
from pipeline.local.sql.parameters import bind
from pipeline.local.sql.unload import parse_unload

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

WATCH_SECONDS = 0.05


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What executions may take.

    Attributes:
        run_seconds: Time that a statement may run. Athena's default is 30 minutes, on more than one machine.
        unasked_seconds: Time that a client may not ask about its statement while another waits.
        executions: Number of executions that are kept.
        result_seconds: Time that a result is kept.
        results_bytes: Size of all results that are kept. The newest is kept in any case.
    """

    run_seconds: float = 300.0
    unasked_seconds: float = 30.0
    executions: int = 100
    result_seconds: float = 3_600.0
    results_bytes: int = 1024**3


DEFAULT_LIMITS = Limits()


class _Entry:
    """An execution, and what is needed to end it. The lock of `Executions` guards all of it."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.future: Future[None] = Future()
        self.session: Session | None = None
        self.began_at_s = 0.0
        self.asked_at_s = self.ended_at_s = time.monotonic()

    def update(self, **changes: Any) -> None:
        self.execution = msgspec.structs.replace(self.execution, **changes)

    def end(self, state: str, **changes: Any) -> None:
        self.ended_at_s = time.monotonic()
        self.update(state=state, completed_at=datetime.now(UTC), **changes)


class Executions:
    """Runs statements in threads. Safe to use from several threads.

    Args:
        athena: Runs the statements.
        s3_client: A boto3 client with time-outs, for the result files.
        limits: What they may take.
    """

    def __init__(self, athena: Athena, s3_client: S3Client, *, limits: Limits = DEFAULT_LIMITS) -> None:
        self._athena, self._s3, self._limits = athena, s3_client, limits
        self._lock = Lock()
        self._entries: dict[str, _Entry] = {}  # the oldest first
        self._workers = ThreadPoolExecutor(SESSIONS, thread_name_prefix="athena")
        self._closing = Event()
        self._watcher = Thread(target=self._watch, name="athena limits", daemon=True)
        self._watcher.start()

    def close(self) -> None:
        """Stop the statements that run, start no other, and delete the results."""
        self._workers.shutdown(wait=False, cancel_futures=True)
        with self._lock:
            for entry in self._entries.values():
                _cancel(entry)
        # The watcher stops them. A future that the executor cancelled is never done for `wait`.
        wait([entry.future for entry in self._entries.values() if not entry.future.cancelled()])
        self._workers.shutdown()
        self._closing.set()
        self._watcher.join()
        for entry in self._entries.values():
            entry.execution.close()

    def start(self, execution_id: str, statement: PreparedStatement) -> str:
        """Start a statement, and return the execution's id. It is that of the first one if its token is repeated."""
        with self._lock:
            for entry in self._entries.values():
                if statement.token and entry.execution.statement.token == statement.token:
                    return entry.execution.id
            execution = Execution(id=execution_id, statement=statement, submitted_at=datetime.now(UTC))
            entry = self._entries[execution.id] = _Entry(execution)
            entry.future = self._workers.submit(self._run, entry)
        self._delete_expired()
        return execution.id

    def find(self, execution_id: str) -> Execution:
        """Return an execution, for its client.

        Raises:
            UsageError: There is none of this id, or it has expired.
        """
        with self._lock:
            entry = self._entries.get(execution_id)
            if entry is None:
                raise UsageError("there is no query with this QueryExecutionId, or it has expired")
            entry.asked_at_s = time.monotonic()
            return entry.execution

    def all(self) -> list[Execution]:
        """Return all executions, the newest first."""
        with self._lock:
            return [entry.execution for entry in reversed(self._entries.values())]

    def cancel(self, execution_id: str) -> None:
        """Stop a statement that has not ended.

        Raises:
            UsageError: There is no execution of this id.
        """
        self.find(execution_id)
        with self._lock:
            _cancel(self._entries[execution_id])

    def _run(self, entry: _Entry) -> None:
        """Run a statement. A worker calls this. There are as many sessions as workers, so that none waits."""
        with self._athena.session() as session:
            with self._lock:
                if entry.execution.is_over:
                    return
                entry.update(state="RUNNING")
                entry.session, entry.began_at_s = session, time.monotonic()
            rows = ResultRows()
            changes = self._execute(entry.execution.statement, session, rows)
            with self._lock:
                entry.session = None
                if not entry.execution.is_over:
                    entry.end(**changes)
            if entry.execution.result is None:
                rows.close()

    def _execute(self, statement: PreparedStatement, session: Session, rows: ResultRows) -> dict[str, Any]:
        """Run a statement and return its end state as changes to its execution."""
        try:
            sql = bind(statement.sql, statement.parameters)
            if unload := parse_unload(sql):
                return {"state": "SUCCEEDED", "result": session.unload(unload, self._s3), "rows": rows}
            result = session.run(sql, keep=rows.write)
            if statement.output:
                save_result(self._s3, statement.output, rows, is_show=statement.is_show)
        except MailfoldError as error:
            return {"state": "FAILED", "reason": str(error), "retryable": isinstance(error, Unavailable)}
        except Exception as error:  # noqa: BLE001 - a thread's entry point: GetQueryExecution returns the reason
            return {"state": "FAILED", "reason": describe(error)}
        return {"state": "SUCCEEDED", "result": result, "rows": rows}

    def _watch(self) -> None:
        """Enforce the limits. Stop a statement until its worker is done, because DuckDB may not have begun yet."""
        while not self._closing.wait(WATCH_SECONDS):
            with self._lock:
                self._enforce_limits()
                for entry in self._entries.values():
                    if entry.session and entry.execution.is_over:
                        entry.session.stop()
            self._delete_expired()

    def _enforce_limits(self) -> None:
        now_s, limits = time.monotonic(), self._limits
        entries = list(self._entries.values())
        is_awaited = any(entry.execution.state == "QUEUED" for entry in entries)
        for entry in (entry for entry in entries if entry.execution.state == "RUNNING"):
            if now_s - entry.began_at_s > limits.run_seconds:
                reason = f"Query timeout: the local Athena stops a query after {limits.run_seconds:g} s"
                entry.end("FAILED", reason=reason)
            elif is_awaited and now_s - entry.asked_at_s > limits.unasked_seconds:
                entry.end("CANCELLED", reason="no client asked about the query any more, and another query waited")

    def _delete_expired(self) -> None:
        with self._lock:
            expired = [self._entries.pop(entry.execution.id) for entry in list(self._expired())]
        for entry in expired:
            entry.execution.close()
            if entry.execution.rows and (file := entry.execution.statement.output):
                delete_result(self._s3, file)

    def _expired(self) -> Iterable[_Entry]:
        return _beyond(self._limits, list(self._entries.values()))


def _cancel(entry: _Entry) -> None:
    if not entry.execution.is_over:
        entry.end("CANCELLED")


def _beyond(limits: Limits, entries: list[_Entry]) -> Iterator[_Entry]:
    """Yield the oldest entries that have ended and exceed a limit."""
    count, size_bytes = len(entries), sum(entry.execution.size_bytes for entry in entries)
    ended_before_s = time.monotonic() - limits.result_seconds
    for entry in entries[:-1]:
        is_beyond = count > limits.executions or size_bytes > limits.results_bytes or entry.ended_at_s < ended_before_s
        if entry.execution.is_over and is_beyond:
            count, size_bytes = count - 1, size_bytes - entry.execution.size_bytes
            yield entry
