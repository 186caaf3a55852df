"""Clients of boto3: their time-outs, retries and number."""

import gc
from types import SimpleNamespace
from typing import Any, get_args

import pytest
from botocore.exceptions import NoRegionError

from pipeline.aws.clients import SES_SECONDS, Clients, Service, create_client, limit_rate


@pytest.mark.parametrize("service", get_args(Service))
def test_a_client_has_time_outs_and_standard_retries(service: Service) -> None:
    """Every call ends, and SES's, which are limited to one a second, are tried more often."""
    config: Any = create_client(service, region="us-east-1").meta.config
    assert (config.connect_timeout, config.read_timeout) == (3, 10)
    assert (config.retries["mode"], config.retries["total_max_attempts"]) == (
        "standard",
        6 if service == "sesv2" else 4,
    )


def test_a_client_uses_the_given_endpoint_and_region() -> None:
    """An emulator's endpoint replaces AWS's."""
    meta = create_client("kinesis", endpoint_url="http://127.0.0.1:9", region="eu-west-1").meta
    assert (meta.endpoint_url, meta.region_name) == ("http://127.0.0.1:9", "eu-west-1")


def test_a_client_is_made_once_when_it_is_used() -> None:
    """`Clients` makes only the clients that are used, by their names in boto3."""
    services: list[str] = []

    def create(service: Service) -> Any:
        services.append(service)
        return object()

    clients = Clients(create)
    assert services == []
    assert clients.lambda_ is clients.lambda_
    assert clients.s3 is clients.s3
    assert services == ["lambda", "s3"]


def test_an_unknown_service_is_no_attribute() -> None:
    """A typing error is an AttributeError, as for any object."""
    with pytest.raises(AttributeError, match="dynamo"):
        _ = Clients().dynamo  # type: ignore[attr-defined]  # the error that is tested


def test_a_rate_limited_client_waits_for_its_turn() -> None:
    """A call waits for the rest of a second since the last one, and not at all after a second."""
    times = iter((0.0, 0.0, 0.3, 1.0, 5.0, 5.0))  # before and after the wait of each call
    waits: list[float] = []
    ses = create_client("sesv2", region="us-east-1")
    limit_rate(ses, clock=lambda: next(times), wait=waits.append)
    ses.meta.events.register_last("before-call.sesv2", lambda **_: (SimpleNamespace(status_code=200), {}))
    for _ in range(3):
        ses.get_account()
    assert waits == [pytest.approx(SES_SECONDS - 0.3)]


@pytest.fixture
def no_region(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    monkeypatch.delenv("AWS_DEFAULT_REGION", raising=False)
    monkeypatch.delenv("AWS_REGION", raising=False)


@pytest.mark.parametrize("is_enabled", [True, False])
def test_the_garbage_collector_is_as_before(no_region: None, is_enabled: bool) -> None:
    """It is disabled only while a client is made, and an error restores it too."""
    (gc.enable if is_enabled else gc.disable)()
    try:
        create_client("sqs", region="eu-west-1")
        with pytest.raises(NoRegionError):
            create_client("sqs")
        assert gc.isenabled() is is_enabled
    finally:
        gc.enable()
