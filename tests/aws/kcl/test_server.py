"""The health server answers probes, listens on its address only, and stops at the end."""

import json
import socket
import struct
from collections.abc import Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import ProxyHandler, build_opener

import pytest
from prometheus_client.parser import text_string_to_metric_families

from pipeline.aws.kcl.health import ShardState
from pipeline.aws.kcl.health_monitor import HealthMonitor
from pipeline.aws.kcl.server import HealthServer
from pipeline.errors import UsageError
from tests.support.shard_health import REPORTED_AT, a_shard

ANSWER_SECONDS = 300.0
RESET = struct.pack("ii", 1, 0)  # SO_LINGER: closing resets the connection


@pytest.fixture
def monitor() -> HealthMonitor:
    return HealthMonitor(workers=1, max_lag_millis=1)


@pytest.fixture
def server(monitor: HealthMonitor) -> Iterator[HealthServer]:
    with HealthServer(monitor.overview, port=0) as server:
        yield server


def get(url: str) -> tuple[int, str, str]:
    """Return status, content type and body."""
    try:
        with build_opener(ProxyHandler({})).open(url, timeout=ANSWER_SECONDS) as answer:
            return answer.status, answer.headers["Content-Type"], answer.read().decode()
    except HTTPError as error:
        with error:
            return error.code, error.headers["Content-Type"], error.read().decode()


def samples(server: HealthServer) -> dict[tuple[str, ...], float]:
    """Return the value of each metric by its name and its labels, as Prometheus reads them."""
    families = text_string_to_metric_families(get(f"{server.url}/metrics")[2])
    return {(sample.name, *sample.labels.values()): sample.value for family in families for sample in family.samples}


def test_health_is_200_with_a_report_of_each_shard(monitor: HealthMonitor, server: HealthServer) -> None:
    """The body is the overview as JSON."""
    monitor.record_report(0, a_shard(records=7))
    status, content_type, body = get(f"{server.url}/health")
    document: dict[str, Any] = json.loads(body)
    assert (status, content_type) == (200, "application/json")
    assert (document["healthy"], document["problems"]) == (True, [])
    assert document["workers"][0]["shards"][0]["records"] == 7


def test_health_is_503_with_a_problem(monitor: HealthMonitor, server: HealthServer) -> None:
    """A query string changes nothing."""
    monitor.record_report(0, a_shard(millis_behind_latest=2))
    status, _, body = get(f"{server.url}/health?from=probe")
    assert (status, json.loads(body)["healthy"]) == (503, False)


def test_metrics_are_in_prometheus_s_text_format(server: HealthServer) -> None:
    """Each metric has a type, and a counter's name ends in _total."""
    status, content_type, body = get(f"{server.url}/metrics")
    assert (status, content_type.partition(";")[0]) == (200, "text/plain")
    assert 'mailfold_consumer_up{worker="0"} 1.0\n' in body
    assert "# TYPE mailfold_consumer_restarts_total counter\n" in body


def test_metrics_cover_each_worker_and_each_shard_that_it_has(monitor: HealthMonitor, server: HealthServer) -> None:
    """Of a shard that has ended, only the counts stay, because a counter must not vanish."""
    monitor.record_report(
        0, a_shard(records=7, poison=1, errors=2, millis_behind_latest=12, checkpointed_at=REPORTED_AT)
    )
    monitor.record_report(0, a_shard(ShardState.SHARD_ENDED, shard="shardId-000000000001", records=5))
    monitor.record_unread(["shardId-000000000002"])
    assert samples(server) == {
        ("mailfold_consumer_up", "0"): 1,
        ("mailfold_consumer_restarts_total", "0"): 0,
        ("mailfold_consumer_lag_milliseconds", "shardId-000000000000", "0"): 12,
        ("mailfold_consumer_checkpoint_timestamp_seconds", "shardId-000000000000", "0"): 1_772_359_200,
        ("mailfold_consumer_records_total", "shardId-000000000000", "0"): 7,
        ("mailfold_consumer_poison_total", "shardId-000000000000", "0"): 1,
        ("mailfold_consumer_errors_total", "shardId-000000000000", "0"): 2,
        ("mailfold_consumer_records_total", "shardId-000000000001", "0"): 5,
        ("mailfold_consumer_poison_total", "shardId-000000000001", "0"): 0,
        ("mailfold_consumer_errors_total", "shardId-000000000001", "0"): 0,
        ("mailfold_consumer_unread_shards",): 1,
    }


def test_an_unknown_value_is_no_metric(monitor: HealthMonitor, server: HealthServer) -> None:
    """Before the first batch, a shard has neither lag nor checkpoint."""
    monitor.record_report(0, a_shard(ShardState.INITIALIZED))
    names = {name for name, *_ in samples(server)}
    assert "mailfold_consumer_records_total" in names
    assert not names & {"mailfold_consumer_lag_milliseconds", "mailfold_consumer_checkpoint_timestamp_seconds"}


def test_other_paths_are_404(server: HealthServer) -> None:
    """The server has two pages."""
    assert get(f"{server.url}/")[0] == 404


def test_it_listens_on_the_loopback_interface_by_default(server: HealthServer) -> None:
    """An option opens it to other machines."""
    assert urlsplit(server.url).hostname == "127.0.0.1"


def test_a_probe_that_disconnects_disturbs_nothing(server: HealthServer, capfd: pytest.CaptureFixture[str]) -> None:
    """The next probe is answered, and nothing is printed."""
    address = urlsplit(server.url)
    for request in (b"", b"GET /health", b"\0\n\n", *[b"GET /health HTTP/1.0\n\n"] * 20):
        with socket.create_connection((address.hostname, address.port or 0)) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            probe.sendall(request)
    assert get(f"{server.url}/health")[0] == 200
    assert capfd.readouterr() == ("", "")


def test_an_address_in_use_is_a_usage_error(server: HealthServer, monitor: HealthMonitor) -> None:
    """The message names the port and the option."""
    with pytest.raises(UsageError, match=r"cannot listen on port \d+ of 127\.0\.0\.1: .* --health-port"):
        HealthServer(monitor.overview, port=urlsplit(server.url).port or 0)


def test_nothing_answers_once_it_is_left(monitor: HealthMonitor) -> None:
    """The port is free again."""
    with HealthServer(monitor.overview, port=0) as server:
        address = urlsplit(server.url)
    with socket.socket() as client:
        assert client.connect_ex((address.hostname or "", address.port or 0)) != 0
