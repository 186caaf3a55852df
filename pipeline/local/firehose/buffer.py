"""The buffer of a delivery stream: `put` waits for room, `take` waits until records are due.

Claims: delivery by size or by the age of the oldest record. Leaves out: any limit of Firehose's on the two.
Threads wait for one another on one condition; nothing is polled.
"""

import threading
import time
from collections import deque
from collections.abc import Sequence

from pipeline.local.firehose.transformation import BufferedRecord

MAX_BUFFERS_HELD = 4  # a larger backlog could fill the memory, so `put` waits
LEAST_ROOM_BYTES = 4 * 1024 * 1024  # the largest call, so that even a small buffer has room for one


class Buffer:
    """Records that are not delivered yet, oldest first.

    Args:
        due_bytes: Size at which a delivery is due, and its greatest size. One record may exceed it.
        due_seconds: Age of the oldest record at which a delivery is due, whatever its size.
    """

    def __init__(self, *, due_bytes: int, due_seconds: float) -> None:
        self._due_bytes = due_bytes
        self._due_seconds = due_seconds
        self._changed = threading.Condition()
        self._waiting: deque[tuple[float, BufferedRecord]] = deque()  # each after its due time
        self._waiting_bytes = 0
        self._held_bytes = 0  # waiting, or taken and not settled
        self._put_count = 0
        self._settled_count = 0
        self._flush_up_to = 0  # a put count
        self._closed = False

    @property
    def put_count(self) -> int:
        """Number of records put so far."""
        with self._changed:
            return self._put_count

    @property
    def unsettled_count(self) -> int:
        """Number of those that are not settled."""
        with self._changed:
            return self._put_count - self._settled_count

    @property
    def closed(self) -> bool:
        """True after `close`."""
        with self._changed:
            return self._closed

    def put(self, records: Sequence[BufferedRecord], *, timeout_seconds: float) -> bool:
        """Add records once there is room. Return False, and add none, at the time-out or if the buffer is closed."""
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
        """Wait until records are due, and return them. The caller settles them. Return none if the buffer is closed."""
        with self._changed:
            while not self._closed and not self._is_due():
                self._changed.wait(self._wait_seconds())
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
        """Mark records from `take` as delivered."""
        with self._changed:
            self._settled_count += len(records)
            self._held_bytes -= _size_bytes(records)
            self._changed.notify_all()

    def flush(self, *, timeout_seconds: float) -> bool:
        """Make all records put so far due. Return True if they were settled in time."""
        with self._changed:
            goal = self._put_count
            self._flush_up_to = max(self._flush_up_to, goal)
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._settled_count >= goal or self._closed, timeout_seconds)
            return self._settled_count >= goal

    def pause(self, seconds: float) -> bool:
        """Wait until `close` at most. Return True if the buffer is open."""
        with self._changed:
            return not self._changed.wait_for(lambda: self._closed, seconds)

    def close(self) -> None:
        """End all waits."""
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

    def _wait_seconds(self) -> float:
        return max(0.0, self._waiting[0][0] - time.monotonic()) if self._waiting else self._due_seconds


def _size_bytes(records: Sequence[BufferedRecord]) -> int:
    return sum(len(record.data) for record in records)
