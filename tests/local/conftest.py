"""Fixtures for tests of the local cloud."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import boto3
import pytest
from moto import mock_aws

from pipeline.local.gateway.backend import Moto
from tests.support.fake_kinesis import STREAM
from tests.support.ses_cloud import SesCloud

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


@pytest.fixture(scope="module")
def running_ses() -> Iterator[SesCloud]:
    """A cloud that accepts e-mails, for one test module."""
    moto = Moto()
    cloud = SesCloud(moto)
    yield cloud
    cloud.server.close()
    moto.close()


@pytest.fixture
def cloud(running_ses: SesCloud) -> SesCloud:
    """A cloud that accepts e-mails and has published none."""
    running_ses.records.clear()
    running_ses.feedback.clear()
    return running_ses
