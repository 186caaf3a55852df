"""Clients: every call ends, and comes back with an error of botocore's own in time."""

import gc
from typing import Any, get_args

import pytest
from botocore.exceptions import NoRegionError

from pipeline.aws.clients import Service, create_client


@pytest.mark.parametrize("service", get_args(Service))
def test_every_client_has_time_outs_and_standard_retries(service: Service) -> None:
    config: Any = create_client(service, region="us-east-1").meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert (config.retries["mode"], config.retries["total_max_attempts"]) == (
        "standard",
        6 if service == "sesv2" else 4,
    )


def test_a_client_speaks_to_the_endpoint_and_region_that_it_is_given() -> None:
    meta = create_client("kinesis", endpoint_url="http://127.0.0.1:9", region="eu-west-1").meta
    assert (meta.endpoint_url, meta.region_name) == ("http://127.0.0.1:9", "eu-west-1")


def test_the_garbage_collector_is_away_for_no_longer_than_a_client_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)
    for keep_enabled in (True, False):
        (gc.enable if keep_enabled else gc.disable)()
        try:
            create_client("sqs", region="eu-west-1")
            with pytest.raises(NoRegionError):
                create_client("sqs")
            assert gc.isenabled() is keep_enabled
        finally:
            gc.enable()
