"""The Kinesis emulator: it listens on this machine only, and closed shards end."""

import sys
from typing import Any

import pytest

from pipeline.local.client import local_client
from tests.acceptance.emulators import kinesis_local
from tests.acceptance.emulators.server import open_to_the_network

pytestmark = pytest.mark.slow


@pytest.mark.skipif(sys.platform != "linux", reason="needs Linux's /proc")
def test_the_emulator_listens_on_this_machine_only() -> None:
    """The process has no socket that other machines can reach."""
    with kinesis_local.server() as (server, _):
        assert open_to_the_network(server.process_id) == []


def test_a_split_shard_ends_and_names_its_children() -> None:
    """After the last record there is no next iterator, and two child shards."""
    with kinesis_local.running() as url:
        kinesis: Any = local_client("kinesis", endpoint_url=url, region="us-east-1")
        kinesis.create_stream(StreamName="feedback", ShardCount=1)
        kinesis.get_waiter("stream_exists").wait(StreamName="feedback", WaiterConfig={"Delay": 1})
        kinesis.put_record(StreamName="feedback", Data=b"before", PartitionKey="a")
        shard = "shardId-000000000000"
        kinesis.split_shard(StreamName="feedback", ShardToSplit=shard, NewStartingHashKey=str(2**127))
        kinesis.get_waiter("stream_exists").wait(StreamName="feedback", WaiterConfig={"Delay": 1})
        iterator = kinesis.get_shard_iterator(StreamName="feedback", ShardId=shard, ShardIteratorType="TRIM_HORIZON")
        read = kinesis.get_records(ShardIterator=iterator["ShardIterator"])
        kinesis.close()
        assert [record["Data"] for record in read["Records"]] == [b"before"]
        assert read.get("NextShardIterator") is None
        assert len(read["ChildShards"]) == 2
