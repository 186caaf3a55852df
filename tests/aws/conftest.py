"""What tests of the layer of AWS share."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from pipeline.aws.dynamodb import table_definition
from tests.support.fake_cloudformation import OUTPUTS
from tests.support.fake_service import REGION, client
from tests.support.one_deployment import BUCKET


@pytest.fixture
def beside_cloudformation() -> Iterator[None]:
    """What is beside CloudFormation, by moto; with the code's bucket, whose policy moto takes for a denial of all.

    The stack's table is there too, which CloudFormation would make.
    """
    with mock_aws():
        client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        client("dynamodb").create_table(**table_definition(OUTPUTS["SuppressionTable"]))
        yield
