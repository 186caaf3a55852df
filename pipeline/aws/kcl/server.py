"""HTTP server for an orchestrator's probes: `/health` as JSON, and `/metrics` for Prometheus.

It listens on the loopback interface unless another address is set. It authenticates no one, so no response contains an
address or a payload.
docs.aws.amazon.com/AmazonECS/latest/developerguide/healthcheck.html
"""

import socket
from collections.abc import Callable, Iterator
from functools import partial
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler
from socketserver import TCPServer, ThreadingMixIn
from threading import Thread
from typing import Any, Self

import msgspec
from prometheus_client import CollectorRegistry, MetricsHandler
from prometheus_client.core import CounterMetricFamily as Counter
from prometheus_client.core import GaugeMetricFamily as Gauge
from prometheus_client.core import Metric
from prometheus_client.registry import Collector

from pipeline.aws.kcl.configuration import HEALTH_HOST, HEALTH_PORT
from pipeline.aws.kcl.health import DaemonState, HealthOverview, ShardHealth, WorkerHealth
from pipeline.errors import UsageError

REQUEST_SECONDS = 5.0  # a client that sends nothing for this long is disconnected
STOP_CHECK_SECONDS = 0.1


class HealthServer:
    """Serves requests while it is entered.

    Attributes:
        url: Its address.
    """

    def __init__(
        self, overview: Callable[[], HealthOverview], *, host: str = HEALTH_HOST, port: int = HEALTH_PORT
    ) -> None:
        """Listen, but serve no request yet.

        Args:
            overview: Returns the health at this moment.
            host: The address to listen on.
            port: The port; 0: any free one.

        Raises:
            UsageError: The address cannot be used.
        """
        registry = CollectorRegistry()
        registry.register(HealthCollector(overview))
        try:
            self._server = _Server(host, port, partial(_Handler, overview, registry))
        except OSError as error:
            raise UsageError(
                f"the health server cannot listen on port {port} of {host}: {error.strerror}. Set another one with "
                "--health-port or --health-host"
            ) from error
        self.url = f"http://{host}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Start to serve."""
        self._thread = Thread(target=self._server.serve_forever, args=(STOP_CHECK_SECONDS,), name=self.url, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class HealthCollector(Collector):
    """Prometheus metrics of each worker and of its shards. A metric without a value is left out.

    The counts of a shard stay when the worker loses it, so that they never decrease. Its lag and checkpoint do not.

    prometheus.io/docs/instrumenting/writing_clientlibs/
    """

    def __init__(self, overview: Callable[[], HealthOverview]) -> None:
        """Create a collector that calls `overview` once per request."""
        self._overview = overview

    def collect(self) -> Iterator[Metric]:
        """Yield the metrics."""
        overview = self._overview()
        workers = overview.workers
        yield Gauge("mailfold_consumer_unread_shards", "Shards that no worker reads.", len(overview.unread))
        for family, name, description, worker_value in _WORKER_METRICS:
            metric = family(name, description, labels=["worker"])
            for worker in workers:
                metric.add_metric([str(worker.worker)], float(worker_value(worker)))
            yield metric
        shards = [(str(worker.worker), shard) for worker in workers for shard in worker.shards]
        for family, name, description, shard_value in _SHARD_METRICS:
            metric = family(name, description, labels=["worker", "shard"])
            for number, shard in shards:
                value = None if family is Gauge and shard.state.has_ended else shard_value(shard)
                if value is not None:
                    metric.add_metric([number, shard.shard], float(value))
            yield metric


_Family = type[Gauge | Counter]
_WORKER_METRICS: tuple[tuple[_Family, str, str, Callable[[WorkerHealth], float]], ...] = (
    (Gauge, "mailfold_consumer_up", "1 if the daemon runs.", lambda worker: worker.state is DaemonState.RUNNING),
    (Counter, "mailfold_consumer_restarts_total", "Restarts of the daemon.", lambda worker: worker.restarts),
)
_SHARD_METRICS: tuple[tuple[_Family, str, str, Callable[[ShardHealth], float | None]], ...] = (
    (Gauge, "mailfold_consumer_lag_milliseconds", "Lag of the shard.", lambda shard: shard.millis_behind_latest),
    (
        Gauge,
        "mailfold_consumer_checkpoint_timestamp_seconds",
        "Time of the last checkpoint, in seconds since 1970.",
        lambda shard: shard.checkpointed_at.timestamp() if shard.checkpointed_at else None,
    ),
    (Counter, "mailfold_consumer_records_total", "Records that are done.", lambda shard: shard.records),
    (Counter, "mailfold_consumer_poison_total", "Payloads put into quarantine.", lambda shard: shard.poison),
    (Counter, "mailfold_consumer_errors_total", "Outages, refusals, internal errors.", lambda shard: shard.errors),
)


class _Server(ThreadingMixIn, TCPServer):
    """A threading HTTP server. The standard library's own looks up its host name in the DNS when it starts."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, handler: Callable[..., BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Ignore a client that disconnects."""


class _Handler(MetricsHandler):
    """Serves `/health`, and lets prometheus_client serve `/metrics`. It logs no requests, as its base class."""

    timeout = REQUEST_SECONDS
    server_version, sys_version = "mailfold", ""

    def __init__(self, overview: Callable[[], HealthOverview], registry: CollectorRegistry, *args: Any) -> None:
        self._overview, self.registry = overview, registry
        super().__init__(*args)

    def do_GET(self) -> None:  # noqa: N802 - http.server's name
        match self.path.partition("?")[0]:
            case "/health":
                self._send_health(self._overview())
            case "/metrics":
                super().do_GET()
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def _send_health(self, overview: HealthOverview) -> None:
        body = msgspec.json.encode(overview) + b"\n"
        self.send_response(HTTPStatus.OK if overview.healthy else HTTPStatus.SERVICE_UNAVAILABLE)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
