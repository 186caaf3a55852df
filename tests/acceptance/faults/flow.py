"""The deployed flow in one process, from SES's events to log and table, with faults at every boundary.

    events ─┬─ chaos ─► EventBridge ─► Kinesis ─► mapping ─► the projector's Lambda ─► DynamoDB
            └─ chaos ─► Firehose ─► the transform's Lambda ─► S3

The Lambda functions are the real handlers with clients of moto. Chaos drops, repeats, delays and reorders deliveries.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import chain
from random import Random
from typing import Any

import pytest

from pipeline.aws.archive.s3 import S3Archive
from pipeline.aws.clients import Clients, Service, create_client
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.lambdas import projector
from pipeline.aws.lambdas.transform import transform
from pipeline.aws.quarantine import S3Quarantine
from pipeline.aws.runtime import Runtime
from pipeline.aws.settings import Settings
from pipeline.aws.stack import SuppressionTables, create_tables
from pipeline.batch import StreamRecord
from pipeline.errors import MailfoldError
from pipeline.ingest import Ingestion
from pipeline.local.event_source_mapping.mapping import EventSourceMapping
from pipeline.local.eventbridge import Relay
from pipeline.local.firehose.delivery_stream import DeliveryStream
from pipeline.local.oracle import Oracle
from pipeline.local.resources import LOG_PREFIX, Names, create_all
from pipeline.local.traffic.chaos import Chaos
from pipeline.local.traffic.generator import generate_traffic
from pipeline.memory import MemoryStore
from pipeline.policy import DEFAULT_POLICY
from pipeline.replay import replay, store_digest
from tests.acceptance.faults.injection import BY_AWS, BY_THE_MACHINE, Faults
from tests.support.lambda_events import Context

REGION = "us-east-1"
START = datetime(2026, 3, 1, tzinfo=UTC)
PARAMETER = "/mailfold/mail/tables"
EMAILS = 20_000  # more than are sent
RATE = 0.15
FLUSH_SECONDS = 300.0
QUICKLY_SECONDS = 0.001
CLOCK_JUMPS_SECONDS = (-400 * 86_400.0, -90.0, 90.0, 86_400.0)
POISON = b'{"eventType": "Bounce", "mail": '


class Flow:
    """One deployment under faults. moto must be active.

    Attributes:
        faults: All faults at calls; inactive after `heal`.
        oracle: What the log must hold, and the table once it is reconciled.
        delivered: What the table must hold before: EventBridge may drop events.
        poison: Number of unreadable records on the stream.
    """

    def __init__(self, seed: int, patch: pytest.MonkeyPatch) -> None:
        self._random = Random(seed)  # noqa: S311 - a simulation
        self.faults, self.poison = Faults(self._random, rate=RATE), 0
        self.oracle, self.delivered = Oracle(policy=DEFAULT_POLICY), Oracle(policy=DEFAULT_POLICY)
        self._traffic = generate_traffic(emails=EMAILS, seed=seed, start=START)
        self._chaos = Chaos(seed=seed)
        self._names = names = Names()
        self.clients = Clients(lambda service: create_client(service, region=REGION))
        create_all(self.clients, names, region=REGION)
        create_tables(self.clients.ssm, parameter=PARAMETER, tables=SuppressionTables(live=names.table))
        self._relay = Relay(
            self.faults.attach(self._client("kinesis"), BY_AWS),
            stream=names.stream,
            retry_after_seconds=QUICKLY_SECONDS,
        )
        self._start_runtime()
        patch.setattr(projector, "_runtime", lambda: self._runtime)
        self._mapping = EventSourceMapping(
            self.faults.attach(self._client("kinesis"), BY_AWS),
            stream=names.stream,
            handler=self.faults.around(self._project, name="the projector"),
            retry_after_seconds=QUICKLY_SECONDS,
        )
        self._firehose = DeliveryStream(
            self.faults.attach(self._client("s3"), BY_AWS),
            bucket=names.bucket,
            transform=self.faults.around(self._transform, name="the transform"),
            prefix=LOG_PREFIX,
            retry_after_seconds=QUICKLY_SECONDS,
            clock=self._now,
        )

    def run(self, steps: int) -> None:
        """Send mails, and let every part work, in a random order."""
        actions = [self._send, *[self._project_next] * 4, self._firehose.flush, self._start_runtime]
        for _ in range(steps):
            self._random.choice(actions)()

    def heal(self) -> None:
        """End all faults, and deliver everything that was not dropped. An operator returns the dead letters."""
        self.faults.is_active = False
        late = self._chaos.release()
        self._put_archive(late.archive)
        self._put_feedback(late.feedback)
        for letter in self._relay.dead_letters:
            self._put_on_stream(letter.data)
        self._mapping.drain(FLUSH_SECONDS)
        self._firehose.flush(FLUSH_SECONDS)

    def reconcile(self) -> None:
        """Ingest what Firehose could not transform, and join the log into the live table, as an operator would."""
        self._ingest_errors()
        replay(self.archive, store=self.live, policy=DEFAULT_POLICY)

    def close(self) -> None:
        """Stop Firehose's thread."""
        self.faults.is_active = False
        self._firehose.close(FLUSH_SECONDS)

    @property
    def live(self) -> DynamoSuppressionStore:
        """The live table."""
        return DynamoSuppressionStore(self.clients.dynamodb, table=self._names.table)

    @property
    def archive(self) -> S3Archive:
        """The log."""
        return S3Archive(self.clients.s3, bucket=self._names.bucket)

    @property
    def discarded(self) -> int:
        """Number of records that the mapping gave up."""
        return self._mapping.given_up

    def rebuilt_digest(self) -> str:
        """Return the digest of the log, folded into an empty table."""
        store = MemoryStore()
        replay(self.archive, store=store, policy=DEFAULT_POLICY)
        return store_digest(store)

    def logged_event_ids(self) -> set[str]:
        """Return the ids of all events in the log."""
        return {row.event_id for rows in self.archive.rows() for row in rows}

    def quarantined(self) -> int:
        """Return the number of quarantined payloads."""
        return sum(1 for _ in self._keys("quarantine/"))

    def _client(self, service: Service) -> Any:
        return create_client(service, region=REGION)

    def _start_runtime(self) -> None:
        """Start the projector's process. Nothing of an earlier one remains in memory."""
        settings = Settings(table="never-used", bucket=self._names.bucket, tables_parameter=PARAMETER)
        kinds = (BY_AWS, BY_THE_MACHINE)
        clients = Clients(lambda service: self.faults.attach(self._client(service), *kinds))
        self._runtime = Runtime(settings, warn=lambda _: None, clients=clients)

    def _send(self) -> None:
        events = list(chain.from_iterable(next(self._traffic) for _ in range(self._random.randint(1, 60))))
        self.oracle.observe(events)
        self._put_archive(self._chaos.archive(events))
        self._put_feedback(self._chaos.feedback(events))
        if self.faults.draw():
            self.poison += 1
            self._put_on_stream(POISON + str(self.poison).encode())

    def _put_feedback(self, events: list[bytes]) -> None:
        self.delivered.observe(events)
        self._relay.deliver(events)

    def _put_on_stream(self, data: bytes) -> None:
        self.clients.kinesis.put_record(StreamName=self._names.stream, PartitionKey="1", Data=data)

    def _put_archive(self, events: list[bytes]) -> None:
        for first in range(0, len(events), 100):
            self._firehose.put(events[first : first + 100])

    def _project_next(self) -> None:
        try:
            self._mapping.poll()
        except MailfoldError:
            return  # AWS's poller tries again

    def _project(self, event: dict[str, Any]) -> Any:
        return projector.handler(event, Context())

    def _transform(self, event: dict[str, Any]) -> dict[str, Any]:
        return transform(event, now=self._now())

    def _now(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.faults.jump(*CLOCK_JUMPS_SECONDS))

    def _ingest_errors(self) -> None:
        """Ingest what Firehose could not transform, as `mailfold ingest` does with the objects below `errors/`."""
        get = partial(self.clients.s3.get_object, Bucket=self._names.bucket)
        records = [StreamRecord(payload=get(Key=key)["Body"].read(), position=key) for key in self._keys("errors/")]
        Ingestion(
            archive=self.archive,
            store=self.live,
            quarantine=S3Quarantine(self.clients.s3, bucket=self._names.bucket),
            policy=DEFAULT_POLICY,
            arrived_at=datetime.now(UTC),
        ).ingest(records, progress=lambda _: None)

    def _keys(self, prefix: str) -> Iterator[str]:
        pages = self.clients.s3.get_paginator("list_objects_v2").paginate(Bucket=self._names.bucket, Prefix=prefix)
        return (entry["Key"] for page in pages for entry in page.get("Contents", ()))
