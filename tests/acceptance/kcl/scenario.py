"""A stream, its tables and its bucket in emulators on this machine, and the records put into the stream."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import Any
from uuid import uuid4

from botocore.exceptions import ReadTimeoutError

from pipeline.aws.dynamodb import DynamoSuppressionStore, ensure_table
from pipeline.aws.settings import BUCKET, STREAM, TABLE
from pipeline.batch import StreamRecord
from pipeline.digest import digest
from pipeline.errors import StoreUnavailable
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
SETTLE_SECONDS = 240.0  # the KCL waits two minutes for a leader that was killed before it could step down


class Scenario:
    """A stream, a suppression table and a bucket, with a record of everything put into the stream.

    Attributes:
        stream: The stream's name, and the lease table's.
        outage: Makes the suppression table unavailable.
        kinesis, dynamodb, s3: Clients.
    """

    def __init__(self, *, kinesis_url: str, backend_url: str, outage: Outage, shards: int, checkpoint: str) -> None:
        self.stream, self.outage = f"feedback-{uuid4().hex[:8]}", outage
        self._kinesis_url, self._backend_url = kinesis_url, backend_url
        self.kinesis: Any = local_client("kinesis", endpoint_url=kinesis_url, region=REGION)
        self.dynamodb: Any = local_client("dynamodb", endpoint_url=backend_url, region=REGION)
        self.s3: Any = local_client("s3", endpoint_url=backend_url, region=REGION)
        self._payloads: list[bytes] = []
        self._lock = Lock()
        self.kinesis.create_stream(StreamName=self.stream, ShardCount=shards)
        self.await_active()
        ensure_table(self.dynamodb, TABLE_NAME)
        self.s3.create_bucket(Bucket=BUCKET_NAME)
        names = {"application": self.stream, "stream": self.stream}
        lease_table.seed(self.dynamodb, self.kinesis, **names, checkpoint=checkpoint)

    def environment(self) -> dict[str, str]:
        """Return the environment variables of a consumer."""
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
            batch = payloads[at : at + RECORDS_PER_CALL]
            records = [{"Data": payload, "PartitionKey": uuid4().hex} for payload in batch]
            answer = self.kinesis.put_records(StreamName=self.stream, Records=records)
            assert answer["FailedRecordCount"] == 0
            with self._lock:
                self._payloads += batch

    def split(self, shard: str) -> None:
        """Split a shard in the middle."""
        [keys] = [
            other["HashKeyRange"]
            for other in self.kinesis.list_shards(StreamName=self.stream)["Shards"]
            if other["ShardId"] == shard
        ]
        first, last = (int(keys[f"{end}HashKey"]) for end in ("Starting", "Ending"))
        middle = str((first + last) // 2 + 1)
        self.kinesis.split_shard(StreamName=self.stream, ShardToSplit=shard, NewStartingHashKey=middle)
        self.await_active()

    def recreate_stream(self) -> None:
        """Delete the stream, and create another one of the same name."""
        self.kinesis.delete_stream(StreamName=self.stream)
        self.kinesis.get_waiter("stream_not_exists").wait(
            StreamName=self.stream, WaiterConfig={"Delay": 1, "MaxAttempts": 60}
        )
        self.kinesis.create_stream(StreamName=self.stream, ShardCount=1)
        self.await_active()

    def await_active(self) -> None:
        """Wait until the stream is active."""

        def status() -> str:
            described = self.kinesis.describe_stream_summary(StreamName=self.stream)
            return str(described["StreamDescriptionSummary"]["StreamStatus"])

        until(lambda: status() == "ACTIVE", timeout_seconds=60)

    def settle(self, *, timeout_seconds: float = SETTLE_SECONDS) -> None:
        """Wait until the table equals the fold of all records put, so that none is missing."""
        expected = self._expected()
        addresses = {key.address for key, _ in expected.scan()}
        until(lambda: self._items() >= len(addresses), timeout_seconds=timeout_seconds)
        if not until(lambda: self._digest() == digest(_standings(expected)), timeout_seconds=timeout_seconds):
            stored = dict(_standings(self._store()))
            assert stored == dict(_standings(expected))

    def checkpoints(self) -> dict[str, str]:
        """Return the checkpoint of each shard."""
        return lease_table.checkpoints(self.dynamodb, application=self.stream)

    def open_shards(self) -> set[str]:
        """Return the shards that are not read to their end."""
        return {shard for shard, checkpoint in self.checkpoints().items() if checkpoint != lease_table.SHARD_END}

    def quarantine(self) -> list[dict[str, Any]]:
        """Return the documents in quarantine."""
        listed = self.s3.list_objects_v2(Bucket=BUCKET_NAME, Prefix="quarantine/").get("Contents", [])
        objects = [self.s3.get_object(Bucket=BUCKET_NAME, Key=entry["Key"]) for entry in listed]
        return [json.loads(answer["Body"].read()) for answer in objects]

    def close(self) -> None:
        """Close the clients."""
        for client in (self.kinesis, self.dynamodb, self.s3):
            client.close()

    def _expected(self) -> MemoryStore:
        store = MemoryStore()
        with self._lock:
            records = [
                StreamRecord(payload=payload, position=str(number)) for number, payload in enumerate(self._payloads)
            ]
        projector = BatchProjector(store=store, quarantine=MemoryQuarantine(), policy=DEFAULT_POLICY)
        assert projector.project(records).cause is None
        return store

    def _items(self) -> int:
        """Return the number of items; 0 while the emulator is too busy. Cheap, unlike a scan in the tables' process."""
        try:
            return int(self.dynamodb.describe_table(TableName=TABLE_NAME)["Table"]["ItemCount"])
        except ReadTimeoutError:
            return 0

    def _digest(self) -> str:
        """Return the digest of the table; an empty string while the emulator is too busy to answer in time."""
        try:
            return digest(_standings(self._store()))
        except StoreUnavailable:
            return ""

    def _store(self) -> DynamoSuppressionStore:
        return DynamoSuppressionStore(self.dynamodb, table=TABLE_NAME)


def _standings(store: Any) -> Iterator[Any]:
    return ((key, item.standing) for key, item in store.scan())


@contextmanager
def a_scenario(*, shards: int, checkpoint: str = "TRIM_HORIZON") -> Iterator[Scenario]:
    """Yield a new stream, leases at this checkpoint and an empty table, in emulators that stop at the end."""
    with ExitStack() as resources:
        kinesis_url = resources.enter_context(kinesis_local.running())
        outage, moto = Outage(TABLE_NAME), Moto()
        resources.callback(moto.close)
        backend_url = resources.enter_context(Server(Gateway(moto, handlers=[outage.answer]))).url
        urls = {"kinesis_url": kinesis_url, "backend_url": backend_url}
        scenario = Scenario(**urls, outage=outage, shards=shards, checkpoint=checkpoint)
        resources.callback(scenario.close)
        yield scenario
