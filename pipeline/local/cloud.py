"""The whole pipeline on this machine: a backend, the services that no emulator has, and one endpoint for applications.

    application ─► gateway ─► SES publisher ─┬─ archive ──► Firehose ─► transform ─► S3 Parquet ─► Athena
                     │                       └─ feedback ─► EventBridge ─► Kinesis ─► projector ─► DynamoDB
                     └─ everything else ─► backend: moto in this process, or another emulator by HTTP

The parts call the backend through boto3, as they would call AWS, with made-up credentials.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from pipeline.aws.batching import batches
from pipeline.aws.clients import Clients, Service
from pipeline.aws.lambdas.projector import project_event
from pipeline.aws.lambdas.transform import transform
from pipeline.aws.runtime import Runtime
from pipeline.aws.settings import BUCKET, TABLE, TABLES_PARAMETER, Settings
from pipeline.errors import MailfoldError
from pipeline.local.athena import Athena
from pipeline.local.client import SECRET_ACCESS_KEY, check_emulator, local_client
from pipeline.local.discovery import ENDPOINT
from pipeline.local.event_source_mapping.failure_destination import FailureBucket
from pipeline.local.event_source_mapping.mapping import EventSourceMapping
from pipeline.local.eventbridge import Relay
from pipeline.local.firehose.delivery_stream import MAX_CALL_BYTES, MAX_RECORDS, MEBIBYTE, DeliveryStream
from pipeline.local.gateway.access import AccessControl, new_access_key_id
from pipeline.local.gateway.athena import AthenaApi
from pipeline.local.gateway.backend import Forwarder, Moto
from pipeline.local.gateway.configuration_sets import ConfigurationSetApi
from pipeline.local.gateway.firehose import FirehoseApi
from pipeline.local.gateway.request_log import RequestLog
from pipeline.local.gateway.server import Gateway, Server
from pipeline.local.gateway.ses import Outbox, SesApi
from pipeline.local.gateway.ses_account import SesAccountApi
from pipeline.local.gateway.ses_backend import SesBackend
from pipeline.local.gateway.suppression_list import SuppressionApi
from pipeline.local.gateway.tenants import TenantApi
from pipeline.local.resources import LOG_PREFIX, Names, create_all, delivery_stream_arn, register_views
from pipeline.local.ses.publisher import Publisher
from pipeline.local.sql.show import view_columns
from pipeline.policy import DEFAULT_POLICY, Policy

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from pipeline.local.traffic.chaos import Chaos

ACCOUNT_ID = "123456789012"  # moto's only account
BUFFER_SECONDS = 5.0  # Firehose's minimum is 60, which is too long to wait for on a local machine
BUFFER_BYTES = 8 * MEBIBYTE  # Firehose's minimum is 64 MB, which small machines do not have
STOP_SECONDS = 10.0
TABLES_AGE_SECONDS = 1.0  # a test of a rebuild or of a policy does not wait for the minute of a deployment

_log = logging.getLogger(__name__)


class LocalCloud:
    """The running pipeline, as a context manager. On leaving, no thread, file or port of it remains.

    Args:
        endpoint_url: Endpoint of another emulator, to use in place of moto. What it holds stays there.
        region: Region that the cloud claims to be in.
        seed: Seed of the SES simulation; None: random.
        chaos: Faults on the way of events; None: none.
        observer: Called with events as SES publishes them, before any fault on their way.
        policy: Suppression policy.
        buffer_seconds: Firehose's buffer interval.
        verify_senders: False to reject mail of senders that are not verified, as SES does.
        port: Port of the endpoint; 0 for a free one.
        log_request: Called with a line for each request of an application; None: requests are not logged.
        names: Names of the resources.

    Attributes:
        names: Names of the resources.
        endpoint_url: Endpoint for applications and commands.
        clients: boto3 clients of this cloud, as an application creates them.
        delivery_stream: Firehose. Its counters show what is in the log.
        relay: EventBridge. It keeps the records that it could not deliver.
        mapping: Event source mapping. Its counters show what the projection consumed.

    Raises:
        UsageError: On entering: this process runs another cloud on moto, `endpoint_url` is not an endpoint, or the
            port is in use.
        MailfoldError: On entering: the other emulator cannot be reached or rejects a resource.
    """

    endpoint_url: str
    clients: Clients
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
        observer: Callable[[Sequence[bytes]], None] = lambda _: None,
        policy: Policy = DEFAULT_POLICY,
        buffer_seconds: float = BUFFER_SECONDS,
        verify_senders: bool = True,
        port: int = 0,
        log_request: Callable[[str], None] | None = None,
        names: Names | None = None,
    ) -> None:
        self.names = names or Names()
        self._backend_url, self._region = endpoint_url, region
        self._access_key_id = new_access_key_id()
        self._publisher = Publisher(seed=seed, account_id=ACCOUNT_ID, region=region)
        self._chaos, self._observer = chaos, observer
        self._policy, self._buffer_seconds = policy, buffer_seconds
        self._verify_senders = verify_senders
        self._port, self._log_request = port, log_request
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        """Start it."""
        with ExitStack() as resources:
            self._start(resources)
            self._resources = resources.pop_all()
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Stop what takes requests, then what works on them, then the backend.

        If the block raised an error, that error is reported, and one of stopping is only logged.
        """
        try:
            self._resources.close()
        except MailfoldError as stop_error:
            if error is None:
                raise
            _log.info("stopping the local cloud: %s", stop_error)

    def environment(self) -> dict[str, str]:
        """Return the variables to export so that boto3 and Mailfold's commands use this cloud."""
        return {
            ENDPOINT: self.endpoint_url,
            "AWS_ACCESS_KEY_ID": self._access_key_id,
            "AWS_SECRET_ACCESS_KEY": SECRET_ACCESS_KEY,
            "AWS_DEFAULT_REGION": self._region,
            TABLE: self.names.table,
            BUCKET: self.names.bucket,
            TABLES_PARAMETER: self.names.tables_parameter,
            "MAILFOLD_STREAM": self.names.stream,
            "MAILFOLD_DELIVERY_STREAM": self.names.delivery_stream,
        }

    def publish(self, events: Sequence[bytes]) -> None:
        """Publish SES's events: all to the archive, and bounces and complaints to the feedback stream too.

        Raises:
            UsageError: One is not a record of event publishing, or is too large.
            ArchiveUnavailable: Firehose's buffer is full.
        """
        self._publish(events, events)

    def settle(self, timeout_seconds: float) -> None:
        """Wait until the log and the projection have everything that was published so far.

        Raises:
            Unavailable: They do not have it in time. Nothing is lost: delivery continues.
        """
        end_s = time.monotonic() + timeout_seconds
        if self._chaos:
            with self._lock:
                held_back = self._chaos.release()
            self._deliver(held_back.archive, held_back.feedback)
        self.delivery_stream.flush(timeout_seconds)
        self.mapping.drain(max(0.0, end_s - time.monotonic()))

    def _publish(self, archive: Sequence[bytes], feedback: Sequence[bytes]) -> None:
        self._observer(archive)
        if self._chaos:
            with self._lock:
                archive, feedback = self._chaos.archive(archive), self._chaos.feedback(feedback)
        self._deliver(archive, feedback)

    def _deliver(self, archive: Sequence[bytes], feedback: Sequence[bytes]) -> None:
        for records in batches(archive, size_bytes=len, max_bytes=MAX_CALL_BYTES, max_items=MAX_RECORDS):
            self.delivery_stream.put(records)
        self.relay.deliver(feedback)

    def _start(self, resources: ExitStack) -> None:
        backend, backend_url = self._start_backend(resources)
        clients = self._create_clients(backend_url, resources)
        create_all(clients, self.names, region=self._region)
        self._start_archive(clients, resources)
        self._start_feedback(clients, resources)
        gateway = self._create_gateway(backend, clients, resources)
        self.endpoint_url = self._serve(gateway, resources, port=self._port, log_request=self._log_request)
        self.clients = self._create_clients(self.endpoint_url, resources)

    def _start_backend(self, resources: ExitStack) -> tuple[Moto | Forwarder, str]:
        if self._backend_url is not None:
            check_emulator(self._backend_url)
            forwarder = Forwarder(self._backend_url)
            resources.callback(forwarder.close)
            return forwarder, self._backend_url
        moto = Moto()
        resources.callback(moto.close)
        return moto, self._serve(moto, resources)

    def _serve(
        self,
        application: WSGIApplication,
        resources: ExitStack,
        *,
        port: int = 0,
        log_request: Callable[[str], None] | None = None,
    ) -> str:
        """Serve an application to clients that have this cloud's access key. Return its address."""
        served: WSGIApplication = AccessControl(application, access_key_id=self._access_key_id)
        if log_request:
            served = RequestLog(served, report=log_request)
        return resources.enter_context(Server(served, port=port)).url

    def _create_clients(self, endpoint_url: str, resources: ExitStack) -> Clients:
        """Return clients of an endpoint that are closed with the cloud."""

        def create(service: Service) -> Any:
            client = local_client(
                service, endpoint_url=endpoint_url, region=self._region, access_key_id=self._access_key_id
            )
            resources.callback(client.close)
            return client

        return Clients(create)

    def _start_archive(self, clients: Clients, resources: ExitStack) -> None:
        self.delivery_stream = DeliveryStream(
            clients.s3,
            bucket=self.names.bucket,
            transform=lambda event: transform(event, now=datetime.now(UTC)),
            buffer_bytes=BUFFER_BYTES,
            buffer_seconds=self._buffer_seconds,
            prefix=LOG_PREFIX,
            name=self.names.delivery_stream,
        )
        resources.callback(self.delivery_stream.close, STOP_SECONDS)

    def _start_feedback(self, clients: Clients, resources: ExitStack) -> None:
        self.relay = Relay(clients.kinesis, stream=self.names.stream, account_id=ACCOUNT_ID)
        settings = Settings(
            table=self.names.table,
            bucket=self.names.bucket,
            policy=self._policy,
            tables_parameter=self.names.tables_parameter,
        )
        runtime = Runtime(settings, warn=_log.warning, clients=clients, max_age_seconds=TABLES_AGE_SECONDS)
        self.mapping = EventSourceMapping(
            clients.kinesis,
            stream=self.names.stream,
            handler=lambda event: project_event(event, projector=runtime.projector()),
            on_failure=FailureBucket(clients.s3, bucket=self.names.bucket),
        )
        stop = threading.Event()
        thread = threading.Thread(target=self.mapping.run, args=(stop,), name="event source mapping", daemon=True)
        thread.start()
        resources.callback(thread.join, STOP_SECONDS)
        resources.callback(stop.set)

    def _create_gateway(self, backend: Moto | Forwarder, clients: Clients, resources: ExitStack) -> Gateway:
        athena = resources.enter_context(Athena(clients.s3, bucket=self.names.bucket, database=self.names.database))
        register_views(clients, self.names, view_columns(athena.tables()))
        athena_api = AthenaApi(athena, clients.s3, database=self.names.database)
        resources.callback(athena_api.close)
        tenants, ses_backend = self._publisher.tenants, SesBackend(backend, verify_senders=self._verify_senders)
        configuration_set_api = ConfigurationSetApi(
            self._publisher.configuration_sets,
            ses_backend,
            delivery_stream_arn=delivery_stream_arn(self.names, region=self._region, account_id=ACCOUNT_ID),
            event_bus_arn=f"arn:aws:events:{self._region}:{ACCOUNT_ID}:event-bus/default",
        )
        apis = (
            SuppressionApi(self._publisher.account_list, tenants),
            TenantApi(tenants, account_id=ACCOUNT_ID, region=self._region),
            configuration_set_api,
            SesApi(ses_backend, outbox=Outbox(self._publisher, self._publish), tenants=tenants),
            SesAccountApi(ses_backend),
            FirehoseApi({self.names.delivery_stream: self.delivery_stream.put}),
            athena_api,
        )
        return Gateway(backend, handlers=[api.handle for api in apis])
