"""S3 objects as input files: which are listed, and the types of their errors."""

import io
from collections.abc import Callable, Iterator
from threading import Barrier
from typing import TYPE_CHECKING, Any

import pytest
from botocore.stub import Stubber
from moto import mock_aws

from pipeline.aws.archive.objects import READERS, ListedObject, ObjectReader, list_objects, open_object
from pipeline.aws.clients import create_client
from pipeline.errors import AccessDenied, NotFound, ServiceUnavailable, UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

URI = "s3://mail-events/2026/a.json"
CALLS: dict[str, Callable[["S3Client"], object]] = {
    "list_objects_v2": lambda s3: list(list_objects(s3, URI)),
    "get_object": lambda s3: open_object(s3, URI),
}


@pytest.fixture
def s3() -> Iterator["S3Client"]:
    with mock_aws():
        s3 = create_client("s3", region="us-east-1")
        s3.create_bucket(Bucket="mail-events")
        for key, body in {"2026/a.json": b"a", "2026/b.json": b"b", "2026/empty": b"", "old/c.json": b"c"}.items():
            s3.put_object(Bucket="mail-events", Key=key, Body=body)
        yield s3


def test_objects_below_a_prefix_are_listed_and_opened(s3: "S3Client") -> None:
    """Empty objects, such as a console's folders, are left out, and Hadoop's markers."""
    s3.put_object(Bucket="mail-events", Key="2026/.a.json.crc", Body=b"crc")
    listed = list(list_objects(s3, "s3://mail-events/2026/"))
    assert [(found.uri, found.size_bytes) for found in listed] == [(URI, 1), (URI.replace("a.json", "b.json"), 1)]
    assert [open_object(s3, found.uri).read() for found in listed] == [b"a", b"b"]
    assert len(list(list_objects(s3, "s3://mail-events"))) == 3


def test_an_object_with_other_content_has_another_etag(s3: "S3Client") -> None:
    """The same content has the same."""
    [before] = list_objects(s3, URI)
    s3.put_object(Bucket="mail-events", Key="2026/a.json", Body=b"a")
    [again] = list_objects(s3, URI)
    s3.put_object(Bucket="mail-events", Key="2026/a.json", Body=b"c")
    [after] = list_objects(s3, URI)
    assert before == again != after


class SlowObjects:
    """A client of S3 that answers a read when `at_once` reads wait, and a body that names the key."""

    def __init__(self, at_once: int) -> None:
        self.waiting = Barrier(at_once, timeout=10)
        self.keys: list[str] = []

    def get_object(self, **request: str) -> dict[str, io.BytesIO]:
        self.keys.append(request["Key"])
        self.waiting.wait()
        return {"Body": io.BytesIO(request["Key"].encode())}


def some_objects(count: int, *, size_bytes: int = 1) -> list[ListedObject]:
    return [ListedObject(f"s3://mail-events/{number}", "", size_bytes) for number in range(count)]


def test_several_objects_are_read_at_once_and_opened_in_order() -> None:
    """No read ends before as many have begun."""
    s3: Any = SlowObjects(READERS)
    objects = some_objects(2 * READERS)
    with ObjectReader(s3, objects) as reader:
        bodies = [reader.open(listed.uri).read() for listed in objects[:READERS]]
        assert bodies == [str(number).encode() for number in range(READERS)]
        s3.waiting.abort()


def test_large_objects_are_not_read_ahead() -> None:
    """One that is larger than all that is read ahead is read when it is opened."""
    s3: Any = SlowObjects(1)
    objects = some_objects(3, size_bytes=2**40)
    with ObjectReader(s3, objects) as reader:
        for number, listed in enumerate(objects, 1):
            reader.open(listed.uri)
            assert len(s3.keys) == number


def test_an_object_that_is_not_opened_is_passed_over() -> None:
    """The next one is opened nevertheless."""
    s3: Any = SlowObjects(1)
    with ObjectReader(s3, some_objects(3)) as reader:
        assert reader.open("s3://mail-events/2").read() == b"2"


def test_another_uri_is_a_usage_error(s3: "S3Client") -> None:
    """The message shows the form of an S3 URI."""
    with pytest.raises(UsageError, match="write s3://bucket/prefix"):
        open_object(s3, "s3://")


@pytest.mark.parametrize("operation", CALLS)
@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("AccessDenied", AccessDenied),
        ("ExpiredToken", AccessDenied),
        ("NoSuchBucket", NotFound),
        ("NoSuchKey", NotFound),
        ("SlowDown", ServiceUnavailable),
    ],
)
def test_a_code_has_its_type(s3: "S3Client", operation: str, code: str, error: type[Exception]) -> None:
    """The message names the object or the prefix."""
    with Stubber(s3) as stubber:
        stubber.add_client_error(operation, code, "no")
        with pytest.raises(error, match=URI):
            CALLS[operation](s3)
