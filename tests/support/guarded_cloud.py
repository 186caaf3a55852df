"""A local cloud with data that a web page could be after, for the tests of its access control."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipeline.local.cloud import LocalCloud

ADDRESS = "ann@example.com"
KEY, BODY = "a-key", b"a body"


@contextmanager
def a_guarded_cloud() -> Iterator[LocalCloud]:
    """Run a cloud that holds an object and the item of an address."""
    with LocalCloud(seed=1) as cloud:
        cloud.clients.s3.put_object(Bucket=cloud.names.bucket, Key=KEY, Body=BODY)
        cloud.clients.dynamodb.put_item(
            TableName=cloud.names.table, Item={"address": {"S": ADDRESS}, "scope": {"S": "*"}}
        )
        yield cloud
