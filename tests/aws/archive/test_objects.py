"""S3 objects as input files: which are listed, and the types of their errors."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest
from botocore.stub import Stubber
from moto import mock_aws

from pipeline.aws.archive.objects import object_uris, open_object
from pipeline.aws.clients import create_client
from pipeline.errors import AccessDenied, NotFound, ServiceUnavailable, UsageError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

URI = "s3://mail-events/2026/a.json"
CALLS: dict[str, Callable[["S3Client"], object]] = {
    "list_objects_v2": lambda s3: list(object_uris(s3, URI)),
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
    """Empty objects, such as a console's folders, are left out."""
    uris = list(object_uris(s3, "s3://mail-events/2026/"))
    assert uris == ["s3://mail-events/2026/a.json", "s3://mail-events/2026/b.json"]
    assert [open_object(s3, uri).read() for uri in uris] == [b"a", b"b"]
    assert len(list(object_uris(s3, "s3://mail-events"))) == 3


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
