"""The KCL's lease table, created before any worker starts: a worker that finds it empty waits for up to 30 s.

The attributes are those of the KCL's DynamoDBLeaseSerializer.
github.com/awslabs/amazon-kinesis-client/blob/master/docs/lease-lifecycle.md
"""

from typing import Any

SHARD_END = "SHARD_END"


def seed(dynamodb: Any, kinesis: Any, *, application: str, stream: str, checkpoint: str = "TRIM_HORIZON") -> None:
    """Create the table with a lease for each shard of the stream, without an owner, at this checkpoint."""
    dynamodb.create_table(
        TableName=application,
        KeySchema=[{"AttributeName": "leaseKey", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "leaseKey", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        dynamodb.put_item(
            TableName=application,
            Item={
                "leaseKey": {"S": shard["ShardId"]},
                "leaseCounter": {"N": "0"},
                "checkpoint": {"S": checkpoint},
                "checkpointSubSequenceNumber": {"N": "0"},
                "ownerSwitchesSinceCheckpoint": {"N": "0"},
                "startingHashKey": {"S": shard["HashKeyRange"]["StartingHashKey"]},
                "endingHashKey": {"S": shard["HashKeyRange"]["EndingHashKey"]},
            },
        )


def checkpoints(dynamodb: Any, *, application: str) -> dict[str, str]:
    """Return the checkpoint of each shard."""
    items = dynamodb.scan(TableName=application)["Items"]
    return {item["leaseKey"]["S"]: item["checkpoint"]["S"] for item in items}
