"""A Kinesis client that can do what moto's cannot: reject some records, fail, expire iterators, and split shards.

Its sequence numbers have 56 digits, like AWS's. It has only the operations that pipeline.local calls.
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

Rejection = Callable[[str, bytes], str | None]


def an_error(code: str, operation: str = "PutRecords") -> ClientError:
    """Return the error that boto3 raises for an error response of AWS."""
    return ClientError({"Error": {"Code": code, "Message": "made up"}}, operation)


class FakeKinesis:
    """A stream of one shard, until it is split.

    Args:
        reject: Returns the error code with which PutRecords rejects a record, by key and data, or None.

    Attributes:
        calls: Names of the operations called, in order.
        put_calls: Records of each PutRecords call.
        outages: Errors that the next calls raise, in order; None: that call succeeds.
    """

    def __init__(self, reject: Rejection = lambda _key, _data: None) -> None:
        self.meta = SimpleNamespace(region_name="us-east-1")
        self.calls: list[str] = []
        self.put_calls: list[list[bytes]] = []
        self.outages: list[Exception | None] = []
        self._reject = reject
        self._shards: dict[str, list[dict[str, Any]]] = {"shardId-000000000000": []}
        self._parents: dict[str, str] = {}
        self._closed: set[str] = set()
        self._iterators: dict[str, tuple[str, int]] = {}
        self._put_count = 0

    def client(self) -> "KinesisClient":
        """Return it, typed as boto3's client."""
        return cast("KinesisClient", self)

    def put(self, *payloads: bytes, shard: int = 0) -> None:
        """Put payloads into a shard directly."""
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
        """Expire all iterators, as five minutes do."""
        self._iterators.clear()

    def put_records(self, *, StreamName: str, Records: Sequence[Mapping[str, Any]]) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        """Put records as AWS does: the call succeeds, and each record has its own result."""
        self._called("put_records")
        assert StreamName == STREAM
        self.put_calls.append([record["Data"] for record in Records])
        results = [self._result(record["PartitionKey"], record["Data"]) for record in Records]
        return {"FailedRecordCount": sum("ErrorCode" in result for result in results), "Records": results}

    def describe_stream_summary(self, *, StreamName: str) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        """Describe the stream as AWS does."""
        self._called("describe_stream_summary")
        assert StreamName == STREAM
        return {"StreamDescriptionSummary": {"StreamARN": STREAM_ARN}}

    def get_paginator(self, operation: str) -> Self:
        """Return the paginator of ListShards, as boto3 does."""
        assert operation == "list_shards"
        return self

    def paginate(self, *, StreamName: str) -> Iterator[dict[str, Any]]:  # noqa: N803 - as in AWS's API
        """Yield a page for each shard."""
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
        """Return an iterator as AWS does, for TRIM_HORIZON and AFTER_SEQUENCE_NUMBER."""
        self._called("get_shard_iterator")
        assert StreamName == STREAM
        assert ShardIteratorType in {"TRIM_HORIZON", "AFTER_SEQUENCE_NUMBER"}
        start = int(StartingSequenceNumber)
        read = [stored for stored in self._shards[ShardId] if int(stored["SequenceNumber"]) <= start]
        return {"ShardIterator": self._iterator(ShardId, len(read))}

    def get_records(self, *, ShardIterator: str, Limit: int) -> dict[str, Any]:  # noqa: N803 - as in AWS's API
        """Return records as AWS does. At the end of a closed shard there is no next iterator."""
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
        if code := self._reject(key, data):
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
