"""A small HTTP server for an orchestrator's probe: `/health` says how everything fares, `/metrics` for Prometheus.

It answers whoever reaches it, which nobody but this machine does unless it is told to listen elsewhere. Nothing that
it says is about anybody.

How everything fares, as Prometheus reads it.

prometheus.io/docs/instrumenting/exposition_formats/
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

from pipeline.aws.kcl.health import DaemonState, HealthOverview, ShardHealth, WorkerHealth
from pipeline.errors import UsageError

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"

_OF_WORKERS: dict[str, Callable[[WorkerHealth], float]] = {
    "mailfold_consumer_up gauge": lambda worker: worker.state is DaemonState.RUNNING,
    "mailfold_consumer_restarts_total counter": lambda worker: worker.restarts,
}
_OF_SHARDS: dict[str, Callable[[ShardHealth], float | None]] = {
    "mailfold_consumer_lag_milliseconds gauge": lambda shard: shard.millis_behind_latest,
    "mailfold_consumer_checkpoint_timestamp_seconds gauge": lambda shard: (
        shard.checkpointed_at.timestamp() if shard.checkpointed_at else None
    ),
    "mailfold_consumer_records_total counter": lambda shard: shard.records,
    "mailfold_consumer_poison_total counter": lambda shard: shard.poison,
    "mailfold_consumer_errors_total counter": lambda shard: shard.errors,
}


def metrics_page(overview: HealthOverview) -> str:
    """Return it as text: a metric for each worker, and one for each shard that it still has."""
    return "".join(f"{line}\n" for line in _lines(overview))


def _lines(overview: HealthOverview) -> Iterator[str]:
    for metric, of_worker in _OF_WORKERS.items():
        yield f"# TYPE {metric}"
        for worker in overview.workers:
            yield f'{metric.split()[0]}{{worker="{worker.worker}"}} {float(of_worker(worker))}'
    for metric, of_shard in _OF_SHARDS.items():
        yield f"# TYPE {metric}"
        for worker in overview.workers:
            for shard in worker.shards:
                value = None if shard.state.has_ended else of_shard(shard)
                if value is not None:
                    yield f'{metric.split()[0]}{{worker="{worker.worker}",shard="{shard.shard}"}} {float(value)}'


LISTEN = "127.0.0.1"
PORT = 8080
REQUEST_SECONDS = 5.0  # a probe that says nothing for so long is cut off
STOP_CHECK_SECONDS = 0.1


class HealthServer:
    """Answers from when it is entered until it is left.

    Attributes:
        url: Where it is.
    """

    def __init__(self, overview: Callable[[], HealthOverview], *, host: str = LISTEN, port: int = PORT) -> None:
        """Listen, without an answer yet.

        Args:
            overview: Tells how everything fares.
            host: The address to listen on.
            port: The port; 0: any that is free.

        Raises:
            UsageError: Nobody can listen there.
        """
        try:
            self._server = _Server(host, port, partial(_Handler, overview))
        except OSError as error:
            raise UsageError(
                f"the health endpoint cannot listen on port {port} of {host}: {error.strerror}. Name another with "
                "--health-port or --health-host"
            ) from error
        self.url = f"http://{host}:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        """Begin to answer."""
        self._thread = Thread(target=self._server.serve_forever, args=(STOP_CHECK_SECONDS,), name=self.url, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Listen no more."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Server(ThreadingMixIn, TCPServer):
    """http.server's own would look up its name in the DNS."""

    allow_reuse_address = True
    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, handler: Callable[..., BaseHTTPRequestHandler]) -> None:
        self.address_family = socket.AF_INET6 if ":" in host else socket.AF_INET
        super().__init__((host, port), handler)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a probe that hung up."""


class _Handler(BaseHTTPRequestHandler):
    timeout = REQUEST_SECONDS
    server_version, sys_version = "mailfold", ""

    def __init__(self, overview: Callable[[], HealthOverview], *args: Any) -> None:
        self._overview = overview
        super().__init__(*args)

    def do_GET(self) -> None:
        overview = self._overview()
        match self.path.partition("?")[0]:
            case "/health":
                status = HTTPStatus.OK if overview.healthy else HTTPStatus.SERVICE_UNAVAILABLE
                self._answer(status, "application/json", msgspec.json.encode(overview) + b"\n")
            case "/metrics":
                self._answer(HTTPStatus.OK, CONTENT_TYPE, metrics_page(overview).encode())
            case _:
                self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, *_: object) -> None:
        """Print no line for each request."""

    def _answer(self, status: HTTPStatus, content_type: str, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
