"""Fixtures of the AWS layer's tests."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from pipeline.aws.dynamodb import table_definition
from tests.support.fake_cloudformation import OUTPUTS
from tests.support.fake_service import REGION, client
from tests.support.one_deployment import BUCKET


@pytest.fixture
def beside_cloudformation() -> Iterator[None]:
    """Run moto beside a fake CloudFormation, with the stack's table.

    The code's bucket exists too, because moto takes its policy for a denial of everything.
    """
    with mock_aws():
        client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        client("dynamodb").create_table(**table_definition(OUTPUTS["SuppressionTable"]))
        yield
