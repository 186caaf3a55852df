"""Records on their way through a delivery stream: who puts them waits for room, who takes them until they are due.

Threads wait for one another on one condition; nothing is polled.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence

from pipeline.local.firehose.transformation import BufferedRecord

MAX_BUFFERS_HELD = 4  # then putting waits: memory is no place for an endless backlog
LEAST_ROOM_BYTES = 4 * 1024 * 1024  # the largest call, so that a small buffer never has to refuse one


class Buffer:
    """Records that are not delivered yet, oldest first.

    Args:
        due_bytes: How many bytes make a delivery due; one takes no more, but at least one record.
        due_seconds: At what age of the oldest record a delivery is due anyway.
    """

    def __init__(self, *, due_bytes: int, due_seconds: float) -> None:
        self._due_bytes = due_bytes
        self._due_seconds = due_seconds
        self._changed = threading.Condition()
        self._waiting: deque[tuple[float, BufferedRecord]] = deque()  # with when it is due, by time.monotonic
        self._waiting_bytes = 0
        self._held_bytes = 0  # what waits, and what was taken but is not settled
        self._put_count = 0
        self._settled_count = 0
        self._flush_up_to = 0  # a put count
        self._closed = False

    @property
    def put_count(self) -> int:
        """How many records were put so far."""
        with self._changed:
            return self._put_count

    @property
    def unsettled_count(self) -> int:
        """How many of those are not settled."""
        with self._changed:
            return self._put_count - self._settled_count

    @property
    def closed(self) -> bool:
        """Whether `close` was called."""
        with self._changed:
            return self._closed

    def put(self, records: Sequence[BufferedRecord], *, timeout_seconds: float) -> bool:
        """Add records, once there is room; return whether they were: not if that took too long or it is closed."""
        with self._changed:
            if not self._changed.wait_for(self._has_room, timeout_seconds) or self._closed:
                return False
            due_s = time.monotonic() + self._due_seconds
            self._waiting.extend((due_s, record) for record in records)
            added_bytes = _size_bytes(records)
            self._waiting_bytes += added_bytes
            self._held_bytes += added_bytes
            self._put_count += len(records)
            self._changed.notify_all()
            return True

    def take(self) -> list[BufferedRecord]:
        """Wait until records are due and return them, to be settled; none if it is closed."""
        with self._changed:
            while not self._closed and not self._is_due():
                self._changed.wait(self._rest_seconds())
            records: list[BufferedRecord] = []
            room_bytes = self._due_bytes
            while self._waiting and not self._closed:
                size_bytes = len(self._waiting[0][1].data)
                if records and size_bytes > room_bytes:
                    break
                records.append(self._waiting.popleft()[1])
                room_bytes -= size_bytes
                self._waiting_bytes -= size_bytes
            return records

    def settle(self, records: Sequence[BufferedRecord]) -> None:
        """Say that records which were taken need no more care."""
        with self._changed:
            self._settled_count += len(records)
            self._held_bytes -= _size_bytes(records)
            self._changed.notify_all()

    def flush(self, *, timeout_seconds: float) -> bool:
        """Make all due that was put so far; return whether it was settled in time."""
        with self._changed:
            goal = self._put_count
            self._flush_up_to = max(self._flush_up_to, goal)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._settled_count >= goal or self._closed, timeout_seconds)
            return self._settled_count >= goal

    def pause(self, seconds: float) -> bool:
        """Wait, but not beyond `close`; return whether it is still open."""
        with self._changed:
            return not self._changed.wait_for(lambda: self._closed, seconds)

    def close(self) -> None:
        """Stop everybody who waits."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _has_room(self) -> bool:
        return self._closed or self._held_bytes < MAX_BUFFERS_HELD * max(self._due_bytes, LEAST_ROOM_BYTES)

    def _is_due(self) -> bool:
        return bool(self._waiting) and (
            self._waiting_bytes >= self._due_bytes
            or self._flush_up_to > self._settled_count
            or time.monotonic() >= self._waiting[0][0]
        )

    def _rest_seconds(self) -> float:
        return max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else self._due_seconds


def _size_bytes(records: Sequence[BufferedRecord]) -> int:
    return sum(len(record.data) for record in records)
