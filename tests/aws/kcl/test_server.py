"""The health endpoint answers a probe, keeps to the address it was given, and is gone at the end."""

import json
import socket
import struct
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import pytest

from pipeline.aws.kcl.health import HealthMonitor
from pipeline.aws.kcl.server import HealthServer
from pipeline.errors import UsageError
from tests.support.shard_health import a_shard

ANSWER_SECONDS = 10.0
AT_ONCE = struct.pack("ii", 1, 0)  # a connection that is closed is reset, whatever is under way


@pytest.fixture
def condition() -> HealthMonitor:
    return HealthMonitor(workers=1, max_lag_millis=1)


@pytest.fixture
def endpoint(condition: HealthMonitor) -> Iterator[HealthServer]:
    with HealthServer(condition.overview, port=0) as endpoint:
        yield endpoint


def asked(url: str) -> tuple[int, str, str]:
    """Return status, content type and body."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=ANSWER_SECONDS) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def test_health_is_200_with_how_each_shard_fares(condition: HealthMonitor, endpoint: HealthServer) -> None:
    condition.heard(0, a_shard(records=7))
    status, content_type, body = asked(f"{endpoint.url}/health")
    told: dict[str, Any] = json.loads(body)
    assert (status, content_type) == (200, "application/json")
    assert (told["healthy"], told["problems"]) == (True, [])
    assert told["workers"][0]["shards"][0]["records"] == 7


def test_health_is_503_with_a_problem(condition: HealthMonitor, endpoint: HealthServer) -> None:
    condition.heard(0, a_shard(millis_behind_latest=2))
    status, _, body = asked(f"{endpoint.url}/health?from=probe")
    assert (status, json.loads(body)["healthy"]) == (503, False)


def test_metrics_are_prometheus_s_text(endpoint: HealthServer) -> None:
    status, content_type, body = asked(f"{endpoint.url}/metrics")
    assert (status, content_type) == (200, "text/plain; version=0.0.4; charset=utf-8")
    assert 'mailfold_consumer_up{worker="0"} 1.0\n' in body


def test_there_is_nothing_else(endpoint: HealthServer) -> None:
    assert asked(f"{endpoint.url}/")[0] == 404


def test_it_listens_on_this_machine_alone(endpoint: HealthServer) -> None:
    assert urlsplit(endpoint.url).hostname == "127.0.0.1"


def test_a_probe_that_hangs_up_disturbs_nobody(endpoint: HealthServer, capfd: pytest.CaptureFixture[str]) -> None:
    address = urlsplit(endpoint.url)
    for said in (b"", b"GET /health", b"\0\n\n", *[b"GET /health HTTP/1.0\n\n"] * 20):
        with socket.create_connection((address.hostname, address.port or 0)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, AT_ONCE)
            probe.sendall(said)
    assert asked(f"{endpoint.url}/health")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_an_address_that_is_taken_is_told_in_one_sentence(endpoint: HealthServer, condition: HealthMonitor) -> None:
    with pytest.raises(UsageError, match="cannot listen on port"):
        HealthServer(condition.overview, port=urlsplit(endpoint.url).port or 0)


def test_nobody_answers_once_it_is_left(condition: HealthMonitor) -> None:
    with HealthServer(condition.overview, port=0) as endpoint:
        address = urlsplit(endpoint.url)
    with socket.socket() as asking:
        assert asking.connect_ex((address.hostname or "", address.port or 0)) != 0
