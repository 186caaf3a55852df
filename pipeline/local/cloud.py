"""The whole pipeline on this machine: a backend, the edges that no emulator has, and one address for applications.

    application ─► front ─► SES publisher ─┬─ archive ──► Firehose ─► transform ─► S3 Parquet ─► Athena
                     │                     └─ feedback ─► EventBridge ─► Kinesis ─► projector ─► DynamoDB
                     └─ everything else ─► backend: moto in this process, or another emulator by HTTP

The edges speak to the backend by boto3, as they would to AWS. Credentials are made up; the user's own are left alone.
"""

import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from functools import partial
from typing import Any, Self

from pipeline.aws.batching import batches
from pipeline.aws.clients import Service
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.lambdas.projector import project_event
from pipeline.aws.lambdas.transform import transform
from pipeline.aws.quarantine import S3Quarantine
from pipeline.aws.settings import BUCKET, TABLE
from pipeline.local.athena import Athena
from pipeline.local.client import ACCESS_KEY_ID, SECRET_ACCESS_KEY, check_emulator, local_client
from pipeline.local.discovery import ENDPOINT
from pipeline.local.event_source_mapping.failure_destination import FailureBucket
from pipeline.local.event_source_mapping.mapping import EventSourceMapping
from pipeline.local.eventbridge import Relay
from pipeline.local.firehose.delivery_stream import MAX_CALL_BYTES, MAX_RECORDS, MEBIBYTE, DeliveryStream
from pipeline.local.gateway.athena import AthenaApi
from pipeline.local.gateway.backend import Forwarder, Moto
from pipeline.local.gateway.firehose import FirehoseApi
from pipeline.local.gateway.server import Gateway, Server
from pipeline.local.gateway.ses import Outbox, SesApi
from pipeline.local.gateway.ses_backend import SesBackend
from pipeline.local.gateway.suppression_list import SuppressionApi
from pipeline.local.resources import LOG_PREFIX, Names, create_all
from pipeline.local.ses.publisher import Publisher
from pipeline.local.traffic.chaos import Chaos
from pipeline.policy import DEFAULT_POLICY, Policy

ACCOUNT_ID = "123456789012"  # moto's, which knows no other
BUFFER_SECONDS = 5.0  # Firehose's least is 60; nobody wants to wait that long here
BUFFER_BYTES = 8 * MEBIBYTE  # nor has every machine the memory for the 64 that Firehose gathers at least
STOP_SECONDS = 10.0


class LocalCloud:
    """The pipeline, running from when it is entered until it is left; then no thread, file or port of it is left.

    Args:
        endpoint_url: Another emulator, to stand in moto's place; what it holds already stays.
        region: Where the cloud claims to be.
        seed: What chance starts from in what becomes of e-mails; None: unforeseeable.
        chaos: What the hops on the way do to events; None: nothing.
        witness: Is shown events as SES publishes them, before anything happens to them on the way.
        policy: What suppresses.
        buffer_seconds: How long Firehose gathers before it writes.
        names: What things are called.

    Attributes:
        names: What things are called.
        endpoint_url: The address for applications and commands.
        delivery_stream: Firehose: it counts what went into the log.
        relay: EventBridge: it keeps what it could not deliver.
        mapping: The event source mapping: it counts what went into the projection.

    Raises:
        UsageError: On entering: a cloud on moto runs in this process already; or `endpoint_url` is no address.
        Unavailable: On entering: the other emulator cannot be reached, or refuses.
    """

    endpoint_url: str
    delivery_stream: DeliveryStream
    relay: Relay
    mapping: EventSourceMapping

    def __init__(
        self,
        *,
        endpoint_url: str | None = None,
        region: str = "us-east-1",
        seed: int | None = None,
        chaos: Chaos | None = None,
        witness: Callable[[Sequence[bytes]], None] = lambda _: None,
        policy: Policy = DEFAULT_POLICY,
        buffer_seconds: float = BUFFER_SECONDS,
        names: Names | None = None,
    ) -> None:
        self.names = names or Names()
        self._backend_url = endpoint_url
        self._region = region
        self._publisher = Publisher(seed=seed, account_id=ACCOUNT_ID, region=region)
        self._chaos = chaos
        self._witness = witness
        self._policy = policy
        self._buffer_seconds = buffer_seconds
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Start it."""
        with ExitStack() as resources:
            self._start(resources)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop it: first what takes requests, then what works on them, then the backend."""
        self._resources.close()

    def environment(self) -> dict[str, str]:
        """Return what to export so that boto3, and the commands of this project, use this cloud."""
        return {
            ENDPOINT: self.endpoint_url,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY_ID,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_DEFAULT_REGION": self._region,
            TABLE: self.names.table,
            BUCKET: self.names.bucket,
            "MAILFOLD_STREAM": self.names.stream,
            "MAILFOLD_DELIVERY_STREAM": self.names.delivery_stream,
        }

    def client(self, service: Service) -> Any:
        """Return a boto3 client of this cloud, as an application would have it."""
        return local_client(service, endpoint_url=self.endpoint_url, region=self._region)

    def destinations(self, events: Sequence[bytes]) -> None:
        """Publish SES's events: all of them to the archive, bounces and complaints to the feedback too.

        Raises:
            UsageError: One is no record of event publishing, or is too large.
            ArchiveUnavailable: Firehose holds all that it can.
        """
        self._witness(events)
        archive = feedback = events
        if self._chaos:
            with self._lock:
                archive, feedback = self._chaos.archive(events), self._chaos.feedback(events)
        self._deliver(archive, feedback)

    def settle(self, timeout_seconds: float) -> None:
        """Return once everything that was sent so far is in the log and in the projection.

        Raises:
            Unavailable: That took too long. Nothing is lost: it goes on.
        """
        end_s = time.monotonic() + timeout_seconds
        if self._chaos:
            with self._lock:
                rest = self._chaos.rest()
            self._deliver(rest.archive, rest.feedback)
        self.delivery_stream.flush(timeout_seconds)
        self.mapping.drain(max(0.0, end_s - time.monotonic()))

    def _deliver(self, archive: Sequence[bytes], feedback: Sequence[bytes]) -> None:
        for records in batches(archive, size_bytes=len, max_bytes=MAX_CALL_BYTES, max_items=MAX_RECORDS):
            self.delivery_stream.put(records)
        self.relay.deliver(feedback)

    def _start(self, resources: ExitStack) -> None:
        backend, url = self._start_backend(resources)
        clients = _Clients(url, self._region, resources)
        create_all(clients.get, self.names, region=self._region)
        self._start_archive(clients, resources)
        self._start_feedback(clients, resources)
        athena = resources.enter_context(
            Athena(clients.get("s3"), bucket=self.names.bucket, database=self.names.database)
        )
        athena_api = AthenaApi(athena, clients.get("s3"), database=self.names.database)
        resources.callback(athena_api.close)
        ses_api = SesApi(SesBackend(backend), outbox=Outbox(self._publisher, self.destinations))
        firehose_api = FirehoseApi({self.names.delivery_stream: self.delivery_stream.put})
        suppression_api = SuppressionApi(self._publisher.account_list)
        apis = (suppression_api, ses_api, firehose_api, athena_api)
        front = Gateway(backend, handlers=[api.handle for api in apis])
        self.endpoint_url = resources.enter_context(Server(front)).url

    def _start_backend(self, resources: ExitStack) -> tuple[Moto | Forwarder, str]:
        if self._backend_url is not None:
            check_emulator(self._backend_url)
            forwarder = Forwarder(self._backend_url)
            resources.callback(forwarder.close)
            return forwarder, self._backend_url
        moto = Moto()
        resources.callback(moto.close)
        return moto, resources.enter_context(Server(moto)).url

    def _start_archive(self, clients: "_Clients", resources: ExitStack) -> None:
        self.delivery_stream = DeliveryStream(
            clients.get("s3"),
            bucket=self.names.bucket,
            transform=lambda event: transform(event, now=datetime.now(UTC)),
            buffer_bytes=BUFFER_BYTES,
            buffer_seconds=self._buffer_seconds,
            prefix=LOG_PREFIX,
            name=self.names.delivery_stream,
        )
        resources.callback(self.delivery_stream.close, STOP_SECONDS)

    def _start_feedback(self, clients: "_Clients", resources: ExitStack) -> None:
        kinesis, s3 = clients.get("kinesis"), clients.get("s3")
        self.relay = Relay(kinesis, stream=self.names.stream, account_id=ACCOUNT_ID)
        projector = partial(
            project_event,
            store=DynamoSuppressionStore(clients.get("dynamodb"), table=self.names.table),
            quarantine=S3Quarantine(s3, bucket=self.names.bucket),
            policy=self._policy,
        )
        self.mapping = EventSourceMapping(
            kinesis,
            stream=self.names.stream,
            handler=projector,
            on_failure=FailureBucket(s3, bucket=self.names.bucket),
        )
        stop = threading.Event()
        thread = threading.Thread(target=self.mapping.run, args=(stop,), name="event source mapping", daemon=True)
        thread.start()
        resources.callback(thread.join, STOP_SECONDS)
        resources.callback(stop.set)


class _Clients:
    """The backend's clients: one of each service, made when it is first asked for, closed at the end."""

    def __init__(self, endpoint_url: str, region: str, resources: ExitStack) -> None:
        self._endpoint_url, self._region = endpoint_url, region
        self._resources = resources
        self._made: dict[Service, Any] = {}

    def get(self, service: Service) -> Any:
        if service not in self._made:
            made = local_client(service, endpoint_url=self._endpoint_url, region=self._region)
            self._resources.callback(made.close)
            self._made[service] = made
        return self._made[service]
