"""A cloud for record processors: one moto in its own process, and a new table and bucket for each test."""

import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from itertools import count
from pathlib import Path
from typing import Any

import msgspec
import pytest

from pipeline.aws.clients import Service
from pipeline.aws.dynamodb import DynamoSuppressionStore, ensure_table
from pipeline.local.client import local_client

MOTO = Path(__file__).parents[2] / "support" / "moto_process.py"
REGION = "us-east-1"

_numbers = count()


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


@pytest.fixture(scope="session")
def moto_url() -> Iterator[str]:
    process = subprocess.Popen([sys.executable, str(MOTO)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)  # noqa: S603 - our own program
    assert process.stdout
    yield process.stdout.readline().strip()
    process.communicate(timeout=300)  # it ends with its input


@pytest.fixture
def cloud_without_table(moto_url: str) -> Cloud:
    return Cloud(moto_url)


@pytest.fixture
def cloud(cloud_without_table: Cloud) -> Cloud:
    cloud_without_table.create_table()
    return cloud_without_table
