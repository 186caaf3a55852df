"""What tests of the local cloud share."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from tests.local.fake_kinesis import STREAM

if TYPE_CHECKING:
    from mypy_boto3_kinesis import KinesisClient


@pytest.fixture
def aws() -> Iterator[None]:
    """An empty AWS in this process, by moto."""
    with mock_aws():
        yield


@pytest.fixture
def kinesis(aws: None) -> "KinesisClient":
    """An empty stream of one shard, in moto."""
    client = boto3.client("kinesis", region_name="eu-west-1")
    client.create_stream(StreamName=STREAM, ShardCount=1)
    return client
