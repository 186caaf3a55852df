"""The proof is kept beside the log, until a later drill proves the table equal again."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from moto import mock_aws

from pipeline.aws.archive.proof import PROOF_KEY, Proof, read_proof, save_proof
from pipeline.aws.clients import create_client
from pipeline.drill import DrillResult
from pipeline.errors import InvalidInput, NotFound
from tests.support.builders import OCCURRED_AT

BUCKET = "mailfold-log"
DAY = timedelta(days=1)
EQUAL, DIFFERENT = DrillResult(compared=2, log_digest="a"), DrillResult(compared=2, stale=1)


@pytest.fixture
def s3() -> Iterator[Any]:
    """S3 with an empty bucket."""
    with mock_aws():
        client = create_client("s3", region="us-east-1")
        client.create_bucket(Bucket=BUCKET)
        yield client


def drilled(s3: Any, result: DrillResult, day: int) -> Proof:
    last = read_proof(s3, bucket=BUCKET)
    drilled_at = OCCURRED_AT + day * DAY
    return save_proof(s3, bucket=BUCKET, table="live", result=result, drilled_at=drilled_at, last=last)


def test_a_bucket_without_a_drill_has_no_proof(s3: Any) -> None:
    """Which is no error."""
    assert read_proof(s3, bucket=BUCKET) is None


def test_a_proof_is_read_as_it_was_saved(s3: Any) -> None:
    """With counts, digests and the table's name."""
    saved = drilled(s3, EQUAL, 0)

    assert read_proof(s3, bucket=BUCKET) == saved
    assert (saved.proved_at, saved.result.log_digest, saved.table) == (OCCURRED_AT, "a", "live")


def test_a_drill_that_finds_a_difference_keeps_the_time_of_the_last_proof(s3: Any) -> None:
    """So the days since then grow, until a drill proves the table equal again."""
    ages = [
        drilled(s3, result, day).days_since_proved(OCCURRED_AT + day * DAY)
        for day, result in enumerate([DIFFERENT, EQUAL, DIFFERENT, DIFFERENT, EQUAL])
    ]

    assert ages == [None, 0, 1, 2, 0]


def test_a_clock_that_is_behind_makes_no_negative_age(s3: Any) -> None:
    """Machines differ by seconds."""
    assert drilled(s3, EQUAL, 0).days_since_proved(OCCURRED_AT - DAY) == 0


def test_an_object_that_is_no_proof_is_an_error_that_says_what_to_do(s3: Any) -> None:
    """It is never taken for a proof."""
    s3.put_object(Bucket=BUCKET, Key=PROOF_KEY, Body=b"{}")

    with pytest.raises(InvalidInput, match="delete it, and run the drill again"):
        read_proof(s3, bucket=BUCKET)


def test_a_missing_bucket_is_no_missing_proof(s3: Any) -> None:
    """The name is wrong."""
    with pytest.raises(NotFound):
        read_proof(s3, bucket="another-bucket")
