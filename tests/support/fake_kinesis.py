"""A Kinesis client that does what moto's cannot: refuses some records, is away, lets iterators expire, splits shards.

Its sequence numbers have 56 digits, as AWS's have. Only what pipeline.local calls is there.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, Self, cast

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient

STREAM = "feedback"
STREAM_ARN = f"arn:aws:kinesis:us-east-1:123456789012:stream/{STREAM}"
FIRST_SEQUENCE_NUMBER = 49_590_338_271_490_256_608_559_692_538_361_571_095_921_575_989_136_588_898
ARRIVED_AT = datetime(2026, 3, 1, 12, 0, 3, 250_000, tzinfo=UTC)

Refusal = Callable[[str, bytes], str | None]


def an_error(code: str, operation: str = "PutRecords") -> ClientError:
    """Return what boto3 raises when AWS answers with an error."""
    return ClientError({"Error": {"Code": code, "Message": "made up"}}, operation)


class FakeKinesis:
    """A stream of one shard, until it is split.

    Args:
        refuse: Given a record's key and data, the error code with which PutRecords refuses it, or None.

    Attributes:
        calls: The names of the operations called, in order.
        put_calls: The records of each PutRecords call.
        outages: Errors that the next calls raise, first one first; None: that call goes well.
    """

    def __init__(self, refuse: Refusal = lambda _key, _data: None) -> None:
        self.meta = SimpleNamespace(region_name="us-east-1")
        self.calls: list[str] = []
        self.put_calls: list[list[bytes]] = []
        self.outages: list[Exception | None] = []
        self._refuse = refuse
        self._shards: dict[str, list[dict[str, Any]]] = {"shardId-000000000000": []}
        self._parents: dict[str, str] = {}
        self._closed: set[str] = set()
        self._iterators: dict[str, tuple[str, int]] = {}
        self._put_count = 0

    def client(self) -> "KinesisClient":
        """Return it as what it stands for."""
        return cast("KinesisClient", self)

    def put(self, *payloads: bytes, shard: int = 0) -> None:
        """Put payloads straight into a shard."""
        for payload in payloads:
            self._shards[f"shardId-{shard:012}"].append(self._a_stored(payload, key="key"))

    def split(self, shard: int = 0) -> None:
        """Close a shard and open its two children."""
        parent = f"shardId-{shard:012}"
        self._closed.add(parent)
        for _ in range(2):
            child = f"shardId-{len(self._shards):012}"
            self._shards[child], self._parents[child] = [], parent

    def expire_iterators(self) -> None:
        """Let five minutes pass."""
        self._iterators.clear()

    def put_records(self, *, StreamName: str, Records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        """As AWS: the call succeeds, each record has its own result."""
        self._called("put_records")
        assert StreamName == STREAM
        self.put_calls.append([record["Data"] for record in Records])
        results = [self._result(record["PartitionKey"], record["Data"]) for record in Records]
        return {"FailedRecordCount": sum("ErrorCode" in result for result in results), "Records": results}

    def describe_stream_summary(self, *, StreamName: str) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        """As AWS."""
        self._called("describe_stream_summary")
        assert StreamName == STREAM
        return {"StreamDescriptionSummary": {"StreamARN": STREAM_ARN}}

    def get_paginator(self, operation: str) -> Self:
        """As boto3."""
        assert operation == "list_shards"
        return self

    def paginate(self, *, StreamName: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - as in AWS's API
        """Give a page for each shard, as boto3's paginator of ListShards."""
        self._called("list_shards")
        assert StreamName == STREAM
        for shard in self._shards:
            parent = {"ParentShardId": self._parents[shard]} if shard in self._parents else {}
            yield {"Shards": [{"ShardId": shard, **parent}]}

    def get_shard_iterator(
        self,
        *,
        StreamName: str,  # noqa: N803 - as in AWS's API
        ShardId: str,  # noqa: N803 - as in AWS's API
        ShardIteratorType: str,  # noqa: N803 - as in AWS's API
        StartingSequenceNumber: str = "0",  # noqa: N803 - as in AWS's API
    ) -> dict[str, str]:
        """As AWS, for TRIM_HORIZON and AFTER_SEQUENCE_NUMBER."""
        self._called("get_shard_iterator")
        assert StreamName == STREAM
        assert ShardIteratorType in {"TRIM_HORIZON", "AFTER_SEQUENCE_NUMBER"}
        start = int(StartingSequenceNumber)
        passed = [stored for stored in self._shards[ShardId] if int(stored["SequenceNumber"]) <= start]
        return {"ShardIterator": self._iterator(ShardId, len(passed))}

    def get_records(self, *, ShardIterator: str, Limit: int) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        """As AWS: at the end of a closed shard there is no next iterator."""
        self._called("get_records")
        if ShardIterator not in self._iterators:
            raise an_error("ExpiredIteratorException", "GetRecords")
        shard, start = self._iterators[ShardIterator]
        records, end = self._shards[shard][start : start + Limit], min(start + Limit, len(self._shards[shard]))
        behind = len(self._shards[shard]) - end
        following = {} if shard in self._closed and not behind else {"NextShardIterator": self._iterator(shard, end)}
        return {"Records": records, "MillisBehindLatest": behind, **following}

    def _called(self, operation: str) -> None:
        self.calls.append(operation)
        if self.outages and (outage := self.outages.pop(0)):
            raise outage

    def _result(self, key: str, data: bytes) -> dict[str, Any]:
        if code := self._refuse(key, data):
            return {"ErrorCode": code, "ErrorMessage": "made up"}
        stored = self._a_stored(data, key=key)
        self._shards["shardId-000000000000"].append(stored)
        return {"SequenceNumber": stored["SequenceNumber"], "ShardId": "shardId-000000000000"}

    def _a_stored(self, data: bytes, *, key: str) -> dict[str, Any]:
        self._put_count += 1
        return {
            "Data": data,
            "PartitionKey": key,
            "SequenceNumber": str(FIRST_SEQUENCE_NUMBER + self._put_count),
            "ApproximateArrivalTimestamp": ARRIVED_AT,
        }

    def _iterator(self, shard: str, index: int) -> str:
        name = f"{shard}@{index}"
        self._iterators[name] = (shard, index)
        return name
