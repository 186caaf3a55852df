"""Records put with boto3's `firehose` reach the delivery stream."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError

from pipeline.errors import ArchiveUnavailable, UsageError
from pipeline.local.client import local_client
from pipeline.local.gateway.firehose import FirehoseApi
from pipeline.local.gateway.server import Gateway, Server

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIEnvironment
    from mypy_boto3_firehose import FirehoseClient

STREAM = "mailfold-events"


class Stream:
    """A delivery stream that only remembers."""

    def __init__(self) -> None:
        self.taken: list[bytes] = []
        self.trouble: Exception | None = None

    def put(self, records: Sequence[bytes]) -> list[str]:
        if self.trouble:
            raise self.trouble
        self.taken.extend(records)
        return [f"id-{number}" for number in range(len(records))]


def nobody(environ: "WSGIEnvironment", start_response: "StartResponse") -> list[bytes]:
    start_response("404 Not Found", [("Content-Type", "text/plain")])
    return [b"the backend was asked"]


@pytest.fixture(scope="module")
def connected() -> "Iterator[tuple[Stream, FirehoseClient]]":
    stream = Stream()
    with Server(Gateway(nobody, answers=(FirehoseApi({STREAM: stream.put}).answer,))) as server:
        yield stream, local_client("firehose", endpoint_url=server.url, region="us-east-1")


@pytest.fixture
def stream(connected: "tuple[Stream, FirehoseClient]") -> Stream:
    connected[0].taken, connected[0].trouble = [], None
    return connected[0]


@pytest.fixture
def firehose(connected: "tuple[Stream, FirehoseClient]") -> "FirehoseClient":
    return connected[1]


def test_a_record_is_put_byte_for_byte(stream: Stream, firehose: "FirehoseClient") -> None:
    assert firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": b"\x00\xff\n"})["RecordId"] == "id-0"
    assert stream.taken == [b"\x00\xff\n"]


def test_records_are_put_in_order_each_with_its_id(stream: Stream, firehose: "FirehoseClient") -> None:
    answer = firehose.put_record_batch(DeliveryStreamName=STREAM, Records=[{"Data": b"one"}, {"Data": b"two"}])
    assert answer["FailedPutCount"] == 0
    assert [response["RecordId"] for response in answer["RequestResponses"]] == ["id-0", "id-1"]
    assert stream.taken == [b"one", b"two"]


def test_a_stream_that_is_not_there_is_named(stream: Stream, firehose: "FirehoseClient") -> None:
    with pytest.raises(firehose.exceptions.ResourceNotFoundException, match="there is no delivery stream other here"):
        firehose.put_record(DeliveryStreamName="other", Record={"Data": b"one"})
    assert stream.taken == []


def test_what_the_stream_refuses_is_refused_with_its_sentence(stream: Stream, firehose: "FirehoseClient") -> None:
    stream.trouble = UsageError("a record has at most 1024000 bytes")
    with pytest.raises(firehose.exceptions.InvalidArgumentException, match="a record has at most 1024000 bytes"):
        firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": b"one"})


def test_a_stream_that_is_full_is_unavailable(stream: Stream, firehose: "FirehoseClient") -> None:
    stream.trouble = ArchiveUnavailable("it holds all that it can")
    with pytest.raises(firehose.exceptions.ServiceUnavailableException, match="it holds all that it can"):
        firehose.put_record(DeliveryStreamName=STREAM, Record={"Data": b"one"})


def test_other_operations_are_for_the_backend(firehose: "FirehoseClient") -> None:
    with pytest.raises(ClientError) as raised:
        firehose.list_delivery_streams()
    assert raised.value.response["ResponseMetadata"]["HTTPStatusCode"] == 404
