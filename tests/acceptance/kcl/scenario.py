"""A stream, the tables and the bucket, each on this machine, and what was put into the stream."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any
from uuid import uuid4

from pipeline.address import Address
from pipeline.aws.dynamodb import DynamoSuppressionStore, ensure_table
from pipeline.aws.settings import BUCKET, STREAM, TABLE
from pipeline.batch import StreamRecord
from pipeline.digest import digest
from pipeline.local.client import ACCESS_KEY_ID, SECRET_ACCESS_KEY, local_client
from pipeline.local.gateway.backend import Moto
from pipeline.local.gateway.server import Gateway, Server
from pipeline.memory import MemoryQuarantine, MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.projection import BatchProjector
from tests.acceptance.emulators import kinesis_local
from tests.acceptance.kcl import lease_table
from tests.acceptance.kcl.outage import Outage
from tests.support.waiting import until

REGION = "us-east-1"
TABLE_NAME, BUCKET_NAME = "suppression", "mailfold-log"
RECORDS_PER_CALL = 500


class World:
    """What a consumer reads, what it writes, and what it should have written.

    Attributes:
        stream: The stream's name; the lease table's too.
        outage: May keep the suppression table away.
        kinesis, dynamodb, s3: Clients.
    """

    def __init__(self, *, kinesis_url: str, backend_url: str, outage: Outage, shards: int, seeded: bool) -> None:
        self.stream, self.outage = f"feedback-{uuid4().hex[:8]}", outage
        self._kinesis_url, self._backend_url = kinesis_url, backend_url
        self.kinesis: Any = local_client("kinesis", endpoint_url=kinesis_url, region=REGION)
        self.dynamodb: Any = local_client("dynamodb", endpoint_url=backend_url, region=REGION)
        self.s3: Any = local_client("s3", endpoint_url=backend_url, region=REGION)
        self._put: list[bytes] = []
        self._lock = Lock()
        self.kinesis.create_stream(StreamName=self.stream, ShardCount=shards)
        self.await_active()
        ensure_table(self.dynamodb, TABLE_NAME)
        self.s3.create_bucket(Bucket=BUCKET_NAME)
        if seeded:
            lease_table.seed(self.dynamodb, self.kinesis, application=self.stream, stream=self.stream)

    def environment(self) -> dict[str, str]:
        """Return what a consumer finds in its environment."""
        return {
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_ENDPOINT_URL": self._backend_url,
            "AWS_ENDPOINT_URL_KINESIS": self._kinesis_url,
            TABLE: TABLE_NAME,
            BUCKET: BUCKET_NAME,
            STREAM: self.stream,
            "MAILFOLD_APPLICATION": self.stream,
        }

    def put(self, payloads: Sequence[bytes]) -> None:
        """Put payloads into the stream."""
        for at in range(0, len(payloads), RECORDS_PER_CALL):
            lot = payloads[at : at + RECORDS_PER_CALL]
            records = [{"Data": payload, "PartitionKey": uuid4().hex} for payload in lot]
            answer = self.kinesis.put_records(StreamName=self.stream, Records=records)
            assert answer["FailedRecordCount"] == 0
            with self._lock:
                self._put += lot

    def split(self, shard: str) -> None:
        """Split a shard in the middle."""
        [found] = [one for one in self.kinesis.list_shards(StreamName=self.stream)["Shards"] if one["ShardId"] == shard]
        first, last = (int(found["HashKeyRange"][f"{end}HashKey"]) for end in ("Starting", "Ending"))
        middle = str((first + last) // 2 + 1)
        self.kinesis.split_shard(StreamName=self.stream, ShardToSplit=shard, NewStartingHashKey=middle)
        self.await_active()

    def await_active(self) -> None:
        """Return once the stream takes records."""

        def status() -> str:
            described = self.kinesis.describe_stream_summary(StreamName=self.stream)
            return str(described["StreamDescriptionSummary"]["StreamStatus"])

        until(lambda: status() == "ACTIVE", timeout_seconds=20)

    def settle(self, *, timeout_seconds: float) -> None:
        """Return once the table is what the fold of everything put makes of it, with nothing missing."""
        expected = self._expected()
        until(lambda: not self._missing(expected), timeout_seconds=timeout_seconds)
        assert self._missing(expected) == set()
        until(lambda: self._digest() == digest(_standings(expected)), timeout_seconds=timeout_seconds)
        assert self._digest() == digest(_standings(expected))

    def checkpoints(self) -> dict[str, str]:
        """Return the checkpoint of each shard."""
        return lease_table.checkpoints(self.dynamodb, application=self.stream)

    def quarantine(self) -> Iterator[dict[str, Any]]:
        """Give what is in quarantine."""
        for found in self.s3.list_objects_v2(Bucket=BUCKET_NAME, Prefix="quarantine/").get("Contents", []):
            yield json.loads(self.s3.get_object(Bucket=BUCKET_NAME, Key=found["Key"])["Body"].read())

    def close(self) -> None:
        for client in (self.kinesis, self.dynamodb, self.s3):
            client.close()

    def _expected(self) -> MemoryStore:
        store = MemoryStore()
        with self._lock:
            records = [StreamRecord(payload=payload, position=str(number)) for number, payload in enumerate(self._put)]
        projector = BatchProjector(store=store, quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY)
        assert projector.project(records).cause is None
        return store

    def _missing(self, expected: MemoryStore) -> set[Address]:
        return {key.address for key, _ in expected.scan()} - {key.address for key, _ in self._store().scan()}

    def _digest(self) -> str:
        return digest(_standings(self._store()))

    def _store(self) -> DynamoSuppressionStore:
        return DynamoSuppressionStore(self.dynamodb, table=TABLE_NAME)


def _standings(store: Any) -> Iterator[Any]:
    return ((key, item.standing) for key, item in store.scan())


@contextmanager
def a_world(*, shards: int, seeded: bool = True) -> Iterator[World]:
    """Give a stream of its own and empty tables, in emulators that end with it."""
    with ExitStack() as resources:
        kinesis_url = resources.enter_context(kinesis_local.running())
        outage, moto = Outage(TABLE_NAME), Moto()
        resources.callback(moto.close)
        backend_url = resources.enter_context(Server(Gateway(moto, handlers=[outage.answer]))).url
        world = World(kinesis_url=kinesis_url, backend_url=backend_url, outage=outage, shards=shards, seeded=seeded)
        resources.callback(world.close)
        yield world
