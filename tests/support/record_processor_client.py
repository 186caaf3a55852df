"""The Kinesis Client Library's daemon as a record processor sees it: pipes, and a line of JSON for each message.

It starts the real process, speaks the real protocol, and hangs on nothing: whatever it waits for has a time-out. Its
messages have the form that the real daemon, KCL 3.1.3, was seen to send.
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

TIMEOUT_SECONDS = 60.0
SHARD = "shardId-000000000006"
ARRIVED_MS = 1_772_366_405_678
FIRST_SEQUENCE_NUMBER = 49590338271490256608559692538361571095921575989136588898

Message = dict[str, Any]
Lines = queue.Queue[bytes | None]


class Ended(Exception):
    """The record processor has closed its end."""


class Handled:
    """What a record processor did about an action: the checkpoints it asked for, and what it then acknowledged."""

    def __init__(self, checkpoints: Sequence[Message], acknowledged: str | None) -> None:
        self.checkpoints, self.acknowledged = checkpoints, acknowledged


class Daemon:
    """Runs a record processor from when it is entered until it is left.

    Args:
        environment: All that it finds in its environment.
        program: What is run.
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
        self._told: Lines = queue.Queue()
        self._readers = [
            _reader(self._process.stdout, self.output, self._answers),
            _reader(self._process.stderr, self.log, self._told),
        ]
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self.close()

    def close(self) -> int:
        """Close the pipe, and return with what the record processor exits."""
        assert self._process.stdin
        if not self._process.stdin.closed:
            self._process.stdin.close()
        return self.wait()

    def wait(self) -> int:
        """Return with what it exits by itself; by then all that it wrote is in `output` and `log`."""
        code = self._process.wait(TIMEOUT_SECONDS)
        for reader in self._readers:
            reader.join(TIMEOUT_SECONDS)
        return code

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def initialize(self, *, shard: str = SHARD, sequence_number: str = "TRIM_HORIZON") -> Handled:
        """Hand it a shard."""
        return self.ask("initialize", shardId=shard, sequenceNumber=sequence_number, subSequenceNumber=0)

    def process(self, records: Iterable[Message], *, behind_ms: int = 0, errors: Sequence[str] = ()) -> Handled:
        """Hand it records."""
        return self.ask("processRecords", records=list(records), millisBehindLatest=behind_ms, errors=errors)

    def ask(self, action: str, *, errors: Sequence[str] = (), **fields: Any) -> Handled:
        """Send it an action, answer each checkpoint with the next of the errors, or else none; return what it did."""
        self.send({"action": action, **fields})
        return self.answered(errors)

    def answered(self, errors: Sequence[str] = ()) -> Handled:
        """Answer checkpoints until it acknowledges, or ends."""
        checkpoints: list[Message] = []
        try:
            while (answer := self.receive())["action"] == "checkpoint":
                error = errors[len(checkpoints)] if len(checkpoints) < len(errors) else None
                checkpoints.append(answer)
                self.send({**answer, "error": error})
        except Ended:
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
        """Return its next message. Raises `Ended` if there is none any more; any other line fails."""
        while (line := self._answers.get(timeout=TIMEOUT_SECONDS)) is not None:
            if line.strip():
                message = json.loads(line)
                assert isinstance(message, dict)
                return message
        raise Ended

    def await_line(self, part: bytes) -> bytes:
        """Return the next line of its log that holds this, while it runs."""
        while (line := self._told.get(timeout=TIMEOUT_SECONDS)) is not None:
            if part in line:
                return line
        raise Ended

    def await_health(self, **fields: Any) -> ShardHealth:
        """Return the next health that it tells with these fields."""
        while (line := self._told.get(timeout=TIMEOUT_SECONDS)) is not None:
            health = decode_health(line)
            if health and all(getattr(health, name) == value for name, value in fields.items()):
                return health
        raise Ended

    @property
    def healths(self) -> list[ShardHealth]:
        """Every health that it told, once it has ended."""
        return [health for line in self.log if (health := decode_health(line))]

    @property
    def log_entries(self) -> list[Message]:
        """Every entry of its log, and every line of counts, once it has ended."""
        return [json.loads(line) for line in self.log if line.startswith(b"{") and not decode_health(line)]


def a_record(data: bytes, index: int = 0, *, sub: int = 0, partition_key: str = "0100018f00000000") -> Message:
    """Return a record as the daemon hands it on."""
    return {
        "action": "record",
        "data": base64(data),
        "partitionKey": partition_key,
        "sequenceNumber": sequence_number(index),
        "subSequenceNumber": sub,
        "approximateArrivalTimestamp": ARRIVED_MS,
    }


def records(*data: bytes, first: int = 0) -> list[Message]:
    """Return records in order."""
    return [a_record(one, index) for index, one in enumerate(data, first)]


def sequence_number(index: int) -> str:
    """Return the sequence number of a record."""
    return str(FIRST_SEQUENCE_NUMBER + 7 * index)


def _reader(pipe: IO[bytes] | None, kept: list[bytes], told: Lines) -> Thread:
    """Read a pipe to its end, so that whoever writes there never waits; None: that was all."""
    assert pipe

    def read() -> None:
        with pipe:
            for line in pipe:
                kept.append(line)
                told.put(line)
        told.put(None)

    thread = Thread(target=read, daemon=True)
    thread.start()
    return thread
