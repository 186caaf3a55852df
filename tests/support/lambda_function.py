"""Builders for tests of the event source mapping: a function that fails on demand, and a mapping to it."""

from base64 import b64decode
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pipeline.local.event_source_mapping.mapping import EventSourceMapping
from pipeline.local.event_source_mapping.shard_poller import LambdaFunction
from tests.support.fake_kinesis import STREAM, FakeKinesis

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

QUICKLY = 0.001


class AFunction:
    """A function that records the payloads of each event.

    Args:
        poison: It always fails at payloads that start with this.
        transient_failures: How often it fails at payloads that start with `transient`.
        reports: True: it reports failures; False: it raises an error.
    """

    def __init__(self, *, poison: bytes = b"poison", transient_failures: int = 0, reports: bool = True) -> None:
        self.events: list[dict[str, Any]] = []
        self.batches: list[list[bytes]] = []
        self.finished: list[bytes] = []
        self._poison = poison
        self._transient_failures = transient_failures
        self._reports = reports

    def __call__(self, event: dict[str, Any]) -> Mapping[str, Any]:
        self.events.append(event)
        self.batches.append([b64decode(record["kinesis"]["data"]) for record in event["Records"]])
        for record, payload in zip(event["Records"], self.batches[-1], strict=True):
            if payload.startswith(self._poison) or self._fails_now(payload):
                return self._fail(record)
            self.finished.append(payload)
        return {"batchItemFailures": []}

    def _fails_now(self, payload: bytes) -> bool:
        if payload.startswith(b"transient") and self._transient_failures:
            self._transient_failures -= 1
            return True
        return False

    def _fail(self, record: dict[str, Any]) -> Mapping[str, Any]:
        if not self._reports:
            raise RuntimeError(record["kinesis"]["data"])
        return {"batchItemFailures": [{"itemIdentifier": record["kinesis"]["sequenceNumber"]}]}


def a_mapping(kinesis: "KinesisClient | FakeKinesis", handler: LambdaFunction, **options: Any) -> EventSourceMapping:
    """Return a mapping with batches of ten and short waits."""
    client = kinesis.client() if isinstance(kinesis, FakeKinesis) else kinesis
    return EventSourceMapping(
        client, stream=STREAM, handler=handler, **({"retry_after_seconds": QUICKLY, "batch_size": 10} | options)
    )


def numbered(count: int) -> list[bytes]:
    """Return payloads that count from 1."""
    return [b"%d" % number for number in range(1, count + 1)]


def put(kinesis: "KinesisClient", *payloads: bytes) -> None:
    """Put payloads into the stream, in order."""
    kinesis.put_records(
        StreamName=STREAM, Records=[{"Data": payload, "PartitionKey": payload[:64].decode()} for payload in payloads]
    )
