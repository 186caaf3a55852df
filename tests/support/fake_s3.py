"""An S3 client that does what moto's cannot: it is away for a while."""

from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

from botocore.exceptions import ClientError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client


class FakeS3:
    """One bucket.

    Attributes:
        objects: What is in it, by key.
        puts: The keys of all attempts to put, in order.
        refused: Keys that hold any of these texts are refused.
    """

    def __init__(self) -> None:
        self.meta = SimpleNamespace(region_name="eu-west-1")
        self.objects: dict[str, bytes] = {}
        self.puts: list[str] = []
        self.refused: tuple[str, ...] = ()

    def client(self) -> "S3Client":
        """Return it as what it stands for."""
        return cast("S3Client", self)

    def put_object(self, *, Bucket: str, Key: str, Body: bytes) -> None:  # noqa: N803 - as in AWS's API
        """As AWS."""
        assert Bucket == "log"
        self.puts.append(Key)
        if any(text in Key for text in self.refused):
            raise ClientError({"Error": {"Code": "SlowDown", "Message": "made up"}}, "PutObject")
        self.objects[Key] = Body
