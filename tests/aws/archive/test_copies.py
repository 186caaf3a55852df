"""Copies of records outside the log are found in whatever form they have, and only those that name the person."""

import gzip
import json
from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from pipeline.address import Address
from pipeline.aws.archive.copies import delete_copies, find_copies
from pipeline.aws.clients import create_client
from pipeline.aws.quarantine import S3Quarantine
from pipeline.erasure import Erasure
from pipeline.ports import Quarantined
from pipeline.pseudonym import KEY_BYTES
from tests.support.builders import ADA, BOB, a_bounce, a_send, in_firehose_error

BUCKET = "mailfold-log"
ERASURE = Erasure(address=Address(ADA), key=bytes(KEY_BYTES))
COPIES = {
    "source/2026/03/01/backup.gz": gzip.compress(a_send() + b"\n" + a_send(destination=[BOB])),
    "errors/format-conversion-failed/a": in_firehose_error(a_bounce()),
    "aws/lambda/batch": json.dumps({"payload": a_bounce().decode()}).encode(),
    "athena-results/query.csv": f'"address"\n"{ADA.upper()}"\n'.encode(),
}


@pytest.fixture
def s3() -> Iterator[Any]:
    """Yield moto's S3 with a copy of each form, and an object about someone else beside each."""
    with mock_aws():
        s3 = create_client("s3", region="us-east-1")
        s3.create_bucket(Bucket=BUCKET)
        s3.put_bucket_versioning(Bucket=BUCKET, VersioningConfiguration={"Status": "Enabled"})
        for key, body in COPIES.items():
            s3.put_object(Bucket=BUCKET, Key=key, Body=body)
            s3.put_object(Bucket=BUCKET, Key=f"{key}-of-another", Body=a_bounce(recipients=[BOB]))
        yield s3


def found(s3: Any) -> list[str]:
    return [listed.uri.removeprefix(f"s3://{BUCKET}/") for listed in find_copies(s3, bucket=BUCKET, erasure=ERASURE)]


def test_copies_of_every_form_are_found(s3: Any) -> None:
    """Plain, in gzip, in base64, and in an envelope."""
    assert sorted(found(s3)) == sorted(COPIES)


def test_poison_in_the_quarantine_is_found(s3: Any) -> None:
    """Its payload is in base64."""
    quarantine = S3Quarantine(s3, bucket=BUCKET)
    quarantine.put(Quarantined(payload=f"{{{ADA}".replace("{", "<").encode(), reason="no JSON", position="shard 1"))

    assert [key for key in found(s3) if key.startswith("quarantine/")]


def test_every_version_of_a_copy_is_deleted(s3: Any) -> None:
    """And no other object, not even one whose key begins alike."""
    key = "errors/format-conversion-failed/a"
    s3.put_object(Bucket=BUCKET, Key=key, Body=in_firehose_error(a_bounce(feedback_id="2")))

    delete_copies(s3, bucket=BUCKET, key=key)

    versions = s3.list_object_versions(Bucket=BUCKET)
    assert key not in {version["Key"] for version in versions["Versions"]}
    assert f"{key}-of-another" in {version["Key"] for version in versions["Versions"]}
    assert "DeleteMarkers" not in versions
