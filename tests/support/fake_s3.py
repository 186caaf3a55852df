"""An S3 client that can do what moto's cannot: fail for a while."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class FakeS3:
    """One bucket.

    Attributes:
        objects: Its objects, by key.
        puts: Keys of all attempts to put, in order.
        rejected: Keys that contain any of these texts are rejected.
    """

    def __init__(self) -> None:
        self.meta = SimpleNamespace(region_name="eu-west-1")
        self.objects: dict[str, bytes] = {}
        self.puts: list[str] = []
        self.rejected: tuple[str, ...] = ()

    def client(self) -> "S3Client":
        """Return it, typed as boto3's client."""
        return cast("S3Client", self)

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 - as in AWS's API
        """Put an object, as AWS does."""
        assert Bucket == "log"
        self.puts.append(Key)
        if any(text in Key for text in self.rejected):
            raise ClientError({"Error": {"Code": "SlowDown", "Message": "made up"}}, "PutObject")
        self.objects[Key] = Body
