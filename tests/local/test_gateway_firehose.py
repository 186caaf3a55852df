"""Records put with boto3's `firehose` reach the delivery stream."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError
from werkzeug.wrappers import Response

from pipeline.errors import ArchiveUnavailable, UsageError
from pipeline.local.client import local_client
from pipeline.local.gateway.firehose import FirehoseApi
from pipeline.local.gateway.server import Gateway, Server

if TYPE_CHECKING:
    from mypy_boto3_firehose import FirehoseClient

STREAM = "mailfold-events"


class FakeStream:
    """A delivery stream that keeps its records in memory, or raises an error."""

    def __init__(self) -> None:
        self.records: list[bytes] = []
        self.error: Exception | None = None

    def put(self, records: Sequence[bytes]) -> list[str]:
        if self.error:
            raise self.error
        self.records.extend(records)
        return [f"id-{number}" for number in range(len(records))]


@pytest.fixture(scope="module")
def connected() -> Iterator[tuple[FakeStream, FirehoseClient]]:
    stream = FakeStream()
    gateway = Gateway(Response(status=404), handlers=(FirehoseApi({STREAM: stream.put}).handle,))
    with Server(gateway) as server:
        client: FirehoseClient = local_client("firehose", endpoint_url=server.url, region="us-east-1")
        yield stream, client
        client.close()


@pytest.fixture
def stream(connected: tuple[FakeStream, FirehoseClient]) -> FakeStream:
    connected[0].records, connected[0].error = [], None
    return connected[0]


@pytest.fixture
def firehose(connected: tuple[FakeStream, FirehoseClient]) -> FirehoseClient:
    return connected[1]


def test_a_record_keeps_its_bytes(stream: FakeStream, firehose: FirehoseClient) -> None:
    """PutRecord puts the bytes unchanged and returns the record's id."""
    assert firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": b"\x00\xff\n"})["RecordId"] == "id-0"
    assert stream.records == [b"\x00\xff\n"]


def test_a_batch_keeps_its_order(stream: FakeStream, firehose: FirehoseClient) -> None:
    """PutRecordBatch puts the records in order and returns an id for each."""
    reply = firehose.put_record_batch(DeliveryStreamName=STREAM, Records=[{"Data": b"one"}, {"Data": b"two"}])
    assert reply["FailedPutCount"] == 0
    assert [response["RecordId"] for response in reply["RequestResponses"]] == ["id-0", "id-1"]
    assert stream.records == [b"one", b"two"]


def test_an_unknown_stream_is_not_found(stream: FakeStream, firehose: FirehoseClient) -> None:
    """The error names the stream, and nothing is put anywhere."""
    with pytest.raises(firehose.exceptions.ResourceNotFoundException, match="there is no delivery stream other here"):
        firehose.put_record(DeliveryStreamName="other", Record={"Data": b"one"})
    assert stream.records == []


def test_a_rejected_record_is_an_invalid_argument(stream: FakeStream, firehose: FirehoseClient) -> None:
    """The client gets the stream's reason for rejecting a record."""
    stream.error = UsageError("a record has at most 1024000 bytes")
    with pytest.raises(firehose.exceptions.InvalidArgumentException, match="a record has at most 1024000 bytes"):
        firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": b"one"})


def test_a_full_stream_is_unavailable(stream: FakeStream, firehose: FirehoseClient) -> None:
    """A stream whose buffer is full is an error that clients retry."""
    stream.error = ArchiveUnavailable("the buffer is full")
    with pytest.raises(firehose.exceptions.ServiceUnavailableException, match="the buffer is full"):
        firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": b"one"})


def test_other_operations_reach_the_backend(firehose: FirehoseClient) -> None:
    """An operation that the handler does not cover gets the backend's response."""
    with pytest.raises(ClientError) as raised:
        firehose.list_delivery_streams()
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
