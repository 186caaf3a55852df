"""What tests of the layer of AWS share."""

from collections.abc import Iterator

import pytest
from moto import mock_aws

from tests.aws.fake_service import REGION, client
from tests.aws.one_deployment import BUCKET


@pytest.fixture
def beside_cloudformation() -> Iterator[None]:
    """What is beside CloudFormation, by moto; with the code's bucket, whose policy moto takes for a denial of all."""
    with mock_aws():
        client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        yield
