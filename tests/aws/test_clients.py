"""Clients: every call ends, and comes back with an error of botocore's own in time."""

from typing import Any, get_args

import pytest

from pipeline.aws.clients import Service, client


@pytest.mark.parametrize("service", get_args(Service))
def test_every_client_has_time_outs_and_standard_retries(service: Service) -> None:
    config: Any = client(service, region="us-east-1").meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert (config.retries["mode"], config.retries["total_max_attempts"]) == ("standard", 4)


def test_a_client_speaks_to_the_endpoint_and_region_that_it_is_given() -> None:
    meta = client("kinesis", endpoint_url="http://127.0.0.1:9", region="eu-west-1").meta
    assert (meta.endpoint_url, meta.region_name) == ("http://127.0.0.1:9", "eu-west-1")
