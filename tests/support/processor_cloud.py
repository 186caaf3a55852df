"""A cloud for record processors: one moto in its own process, with a table and a bucket for each test."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import msgspec

from pipeline.aws.clients import Service
from pipeline.aws.dynamodb import DynamoSuppressionStore, ensure_table
from pipeline.local.client import local_client

MOTO = Path(__file__).with_name("moto_process.py")
REGION = "us-east-1"
END_SECONDS = 300

_numbers = count()


@contextmanager
def moto_process() -> Iterator[str]:
    """Run moto in its own process, and yield its URL."""
    process = subprocess.Popen([sys.executable, str(MOTO)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own program
    assert process.stdout
    try:
        yield process.stdout.readline().strip()
    finally:
        process.communicate(timeout=END_SECONDS)  # it ends with its input


class Cloud:
    """A table and a bucket for record processors.

    Attributes:
        environment: Their environment.
        table: The suppression table's name; the table does not exist yet.
        bucket: The bucket's name.
    """

    def __init__(self, url: str) -> None:
        number = next(_numbers)
        self._url = url
        self.table, self.bucket = f"suppression-{number}", f"mail-log-{number}"
        self.client("s3").create_bucket(Bucket=self.bucket)
        self.environment: Mapping[str, str] = {
            "AWS_ENDPOINT_URL": url,
            "AWS_ACCESS_KEY_ID": "test",
            "AWS_SECRET_ACCESS_KEY": "test",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "MAILFOLD_TABLE": self.table,
            "MAILFOLD_BUCKET": self.bucket,
            "MAILFOLD_STREAM": "mail-feedback",
        }

    def client(self, service: Service) -> Any:
        """Return a boto3 client of this cloud."""
        return local_client(service, endpoint_url=self._url, region=REGION)

    def create_table(self) -> None:
        """Create the table. Until then there is an outage."""
        ensure_table(self.client("dynamodb"), self.table)

    def suppressed(self) -> set[str]:
        """Return the addresses that the table suppresses."""
        store = DynamoSuppressionStore(self.client("dynamodb"), table=self.table)
        return {key.address for key, item in store.scan() if item.verdict.suppressed}

    def quarantined(self) -> dict[str, str]:
        """Return the reason of each quarantined payload by its position."""
        s3 = self.client("s3")
        listed = s3.list_objects_v2(Bucket=self.bucket).get("Contents", ())
        bodies = [s3.get_object(Bucket=self.bucket, Key=entry["Key"])["Body"].read() for entry in listed]
        documents = [msgspec.json.decode(body) for body in bodies]
        return {document["position"]: document["reason"] for document in documents}
