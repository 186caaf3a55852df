"""The daemon's side of a record processor: it starts the real process and speaks the real protocol with it.

The protocol is a line of JSON for each message, over two pipes. The messages were captured from the real daemon, KCL
3.1.3. Every wait has a time-out.
"""

import json
import queue
import signal
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from threading import Thread
from typing import IO, Any, Self

from pipeline.aws.kcl.health import ShardHealth, decode_health
from tests.support.builders import base64

TIMEOUT_SECONDS = 300.0
SHARD = "shardId-000000000006"
ARRIVED_MS = 1_772_366_405_678
FIRST_SEQUENCE_NUMBER = 49590338271490256608559692538361571095921575989136588898

Message = dict[str, Any]
Lines = queue.Queue[bytes | None]


class Disconnected(Exception):
    """The record processor has closed its pipe."""


class Handled:
    """A record processor's reaction to an action: the checkpoints it requested, then the action it acknowledged."""

    def __init__(self, checkpoints: Sequence[Message], acknowledged: str | None) -> None:
        self.checkpoints, self.acknowledged = checkpoints, acknowledged


class RecordProcessorClient:
    """Runs a record processor while it is entered.

    Args:
        environment: Its whole environment.
        program: Arguments of Python.
    """

    def __init__(
        self, environment: Mapping[str, str], *, program: Sequence[str] = ("-m", "pipeline.aws.projector_kcl")
    ) -> None:
        self._environment, self._program = dict(environment), program
        self.output: list[bytes] = []
        self.log: list[bytes] = []

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, *self._program],
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self._answers: Lines = queue.Queue()
        self._log_lines: Lines = queue.Queue()
        self._readers = [
            _reader(self._process.stdout, self.output, self._answers),
            _reader(self._process.stderr, self.log, self._log_lines),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self.close()

    def close(self) -> int:
        """Close the pipe, and return the exit code."""
        assert self._process.stdin
        if not self._process.stdin.closed:
            self._process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        """Return the exit code, once all of its output is in `output` and `log`."""
        code = self._process.wait(TIMEOUT_SECONDS)
        for reader in self._readers:
            reader.join(TIMEOUT_SECONDS)
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def initialize(self, *, shard: str = SHARD, sequence_number: str = "TRIM_HORIZON") -> Handled:
        """Assign a shard to it."""
        return self.act("initialize", shardId=shard, sequenceNumber=sequence_number, subSequenceNumber=0)

    def process(self, records: Iterable[Message], *, behind_ms: int = 0, errors: Sequence[str] = ()) -> Handled:
        """Send it records."""
        return self.act("processRecords", records=list(records), millisBehindLatest=behind_ms, errors=errors)

    def act(self, action: str, *, errors: Sequence[str] = (), **fields: Any) -> Handled:
        """Send it an action. Answer each checkpoint with the next error, or with success. Return its reaction."""
        self.send({"action": action, **fields})
        return self.await_reaction(errors)

    def await_reaction(self, errors: Sequence[str] = ()) -> Handled:
        """Answer its checkpoints until it acknowledges or ends, and return its reaction."""
        checkpoints: list[Message] = []
        try:
            while (answer := self.receive())["action"] == "checkpoint":
                error = errors[len(checkpoints)] if len(checkpoints) < len(errors) else None
                checkpoints.append(answer)
                self.send({**answer, "error": error})
        except Disconnected:
            return Handled(checkpoints, None)
        assert answer["action"] == "status"
        return Handled(checkpoints, answer["responseFor"])

    def send(self, message: Message) -> None:
        """Send it a message."""
        self.send_line(json.dumps(message, ensure_ascii=False).encode())

    def send_line(self, line: bytes) -> None:
        """Send it a line."""
        assert self._process.stdin
        self._process.stdin.write(line + b"\n")
        self._process.stdin.flush()

    def receive(self) -> Message:
        """Return its next message. Raises `Disconnected` at the end, and an assertion for a line that is no message."""
        while (line := self._answers.get(timeout=TIMEOUT_SECONDS)) is not None:
            if line.strip():
                message = json.loads(line)
                assert isinstance(message, dict)
                return message
        raise Disconnected

    def await_line(self, part: bytes) -> bytes:
        """Return the next line of its log that contains these bytes."""
        while (line := self._log_lines.get(timeout=TIMEOUT_SECONDS)) is not None:
            if part in line:
                return line
        raise Disconnected

    def await_health(self, **fields: Any) -> ShardHealth:
        """Return its next health report with these fields."""
        while (line := self._log_lines.get(timeout=TIMEOUT_SECONDS)) is not None:
            health = decode_health(line)
            if health and all(getattr(health, name) == value for name, value in fields.items()):
                return health
        raise Disconnected

    @property
    def reports(self) -> list[ShardHealth]:
        """All of its health reports, once it has ended."""
        return [health for line in self.log if (health := decode_health(line))]

    @property
    def log_entries(self) -> list[Message]:
        """All of its log entries and lines of metrics, once it has ended."""
        return [json.loads(line) for line in self.log if line.startswith(b"{") and not decode_health(line)]


def a_record(data: bytes, index: int = 0, *, sub: int = 0, partition_key: str = "0100018f00000000") -> Message:
    """Return a record as the daemon sends it."""
    return {
        "action": "record",
        "data": base64(data),
        "partitionKey": partition_key,
        "sequenceNumber": sequence_number(index),
        "subSequenceNumber": sub,
        "approximateArrivalTimestamp": ARRIVED_MS,
    }


def records(*data: bytes, first: int = 0) -> list[Message]:
    """Return records in the order of their data."""
    return [a_record(payload, index) for index, payload in enumerate(data, first)]


def sequence_number(index: int) -> str:
    """Return the sequence number of the record with this index."""
    return str(FIRST_SEQUENCE_NUMBER + 7 * index)


def _reader(pipe: IO[bytes] | None, output: list[bytes], lines: Lines) -> Thread:
    """Start a thread that reads a pipe to its end, so that no writer blocks. None marks the end."""
    assert pipe

    def read() -> None:
        with pipe:
            for line in pipe:
                output.append(line)
                lines.put(line)
        lines.put(None)

    thread = Thread(target=read, daemon=True)
    thread.start()
    return thread
