"""A deployment in moto whose table is rebuilt, with a log, a projector, a clock, and processes that can be killed."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from pipeline.aws.archive.fold import ArchiveFold
from pipeline.aws.clients import Clients, Service, create_client
from pipeline.aws.dynamodb import DynamoSuppressionStore, ensure_table
from pipeline.aws.rebuild import Rebuilder, TableSet
from pipeline.aws.rebuild_proof import Patience
from pipeline.aws.rebuild_state import LEASE, RebuildLease, RebuildState, begin, take_over
from pipeline.aws.runtime import KNOWN_AFTER_SECONDS, Runtime
from pipeline.aws.settings import Settings
from pipeline.aws.stack import SuppressionTables, create_tables, read_tables
from pipeline.batch import StreamRecord, group_by_key
from pipeline.decode import decode
from pipeline.digest import digest
from pipeline.event import Event
from pipeline.fact import facts
from pipeline.memory import MemoryArchive
from pipeline.policy import DEFAULT_POLICY, Policy
from pipeline.rebuild import Rebuild
from pipeline.replay import store_digest
from tests.support.builders import OCCURRED_AT, a_bounce
from tests.support.rows import rows_of

REGION, BUCKET, PARAMETER = "us-east-1", "mail-log", "/mailfold/mail/tables"
OLD, NEW = "mail-suppression-1", "mail-suppression-2"
PEOPLE = [f"person{number}@example.com" for number in range(5)]
WAIT_SECONDS = 15.0  # of each wait at least, so that few are needed
KNOWN_AFTER = timedelta(seconds=KNOWN_AFTER_SECONDS)


class Killed(BaseException):
    """The process was killed: nothing of it runs any more."""


def a_bounce_of(person: str, number: int = 0) -> bytes:
    """Return a bounce; another number is another mail."""
    return a_bounce(
        recipients=[person], feedback_id=f"{person}-{number}", at=OCCURRED_AT + number * timedelta(minutes=1)
    )


class RebuildScenario:
    """The deployment. Use within moto.

    Attributes:
        archive: The log.
        accepted: Every event that SES has published.
        now: The current time, which waiting advances.
        puts: The number of items put, by table, by the processes that rebuild.
        calls: The number of AWS calls that these have made.
        kill_at: The call at which the process that rebuilds is killed; None: never.
        on_wait: Called before each wait.
    """

    def __init__(self) -> None:
        self.archive, self.accepted = MemoryArchive(), list[bytes]()
        self.now = OCCURRED_AT + timedelta(hours=1)
        self.puts: Counter[str] = Counter()
        self.calls = 0
        self.kill_at: int | None = None
        self.on_wait: Callable[[], None] = lambda: None
        self.clients = Clients(lambda service: create_client(service, region=REGION))
        self.clients.s3.create_bucket(Bucket=BUCKET)
        ensure_table(self.clients.dynamodb, OLD)
        create_tables(self.clients.ssm, parameter=PARAMETER, tables=SuppressionTables(live=OLD))
        self.state = RebuildState(self.clients.s3, bucket=BUCKET)
        self.projector = self.a_projector()

    def a_projector(self, policy: Policy = DEFAULT_POLICY) -> Runtime:
        """Return the runtime of a further projector."""
        settings = Settings(table=OLD, bucket=BUCKET, policy=policy, tables_parameter=PARAMETER)
        return Runtime(
            settings,
            warn=lambda _: None,
            clients=self.clients,
            clock=lambda: self.now.timestamp(),  # noqa: PLW0108 - `now` changes
        )

    def publish(self, *payloads: bytes, logged: bool = True, projected: bool = True) -> None:
        """Publish events, into the log and through the projector, unless one of both is late."""
        self.accepted += payloads
        if logged:
            self.log(*payloads)
        if projected:
            self.project(*payloads)

    def log(self, *payloads: bytes) -> None:
        """Let events become visible in the log."""
        self.archive.append(rows_of(*payloads))

    def project(self, *payloads: bytes, projector: Runtime | None = None) -> None:
        """Project events into the tables of the parameter."""
        batch = [StreamRecord(payload=payload, position=str(index)) for index, payload in enumerate(payloads)]
        result = (projector or self.projector).projector().project(batch)
        assert result.cause is None, result.cause

    @property
    def tables(self) -> SuppressionTables:
        """What the parameter says."""
        tables = read_tables(self.clients.ssm, parameter=PARAMETER)
        assert tables
        return tables

    def store(self, table: str) -> DynamoSuppressionStore:
        """Return a table."""
        return DynamoSuppressionStore(self.clients.dynamodb, table=table)

    def digest(self, table: str) -> str:
        """Return the digest of a table."""
        return store_digest(self.store(table))

    @property
    def live_digest(self) -> str:
        """The digest of the live table."""
        return self.digest(self.tables.live)

    @property
    def oracle(self) -> str:
        """The digest that the live table must have."""
        events = [event for payload in self.accepted for event in decode(payload) if isinstance(event, Event)]
        return digest(group_by_key(fact for event in events for fact in facts(event)).items())

    @property
    def table_names(self) -> list[str]:
        """The tables that exist."""
        return sorted(self.clients.dynamodb.list_tables()["TableNames"])

    def a_rebuild(self, **changes: Any) -> Rebuild:
        """Return a rebuild that begins now."""
        fields: dict[str, Any] = {"id": "2", "holder": "ann on host-1 (process 1)", "old_table": OLD, "new_table": NEW}
        times = {"begun_at": self.now, "held_until": self.now + LEASE}
        return Rebuild(**(fields | times | changes))

    @contextmanager
    def rebuilder(self, rebuild: Rebuild | None = None, **options: Any) -> Iterator[Rebuilder]:
        """Yield a process that begins this rebuild, or takes over the one that has begun."""
        self.calls = 0
        clients = Clients(self._dying_client)
        state = RebuildState(clients.s3, bucket=BUCKET)
        lease = self._lease(state, rebuild)
        with lease:
            yield Rebuilder(
                clients,
                lease=lease,
                tables=TableSet(PARAMETER, SuppressionTables(live=OLD), DEFAULT_POLICY, is_deployed=True),
                fold=ArchiveFold(self.archive),
                archive=self.archive,
                known_after=KNOWN_AFTER,
                patience=Patience(),
                wait=self._wait,
                now=lambda: self.now,
                **options,
            )

    def _lease(self, state: RebuildState, rebuild: Rebuild | None) -> RebuildLease:
        if rebuild:
            return begin(state, rebuild, now=lambda: self.now)
        stored = state.read()
        assert stored
        return take_over(state, stored, now=lambda: self.now)

    def _wait(self, seconds: float) -> None:
        self.on_wait()
        self.now += timedelta(seconds=max(seconds, WAIT_SECONDS))

    def _dying_client(self, service: Service) -> Any:
        client = create_client(service, region=REGION)
        client.meta.events.register("before-call", self._count)
        return client

    def _count(self, model: Any, params: Any, **_: Any) -> None:
        self.calls += 1
        if self.kill_at is not None and self.calls >= self.kill_at:
            raise Killed
        if model.name == "PutItem":
            self.puts[NEW if f'"{NEW}"'.encode() in _body(params) else OLD] += 1
        elif model.name == "TransactWriteItems":
            self.puts.update({table: _body(params).count(f'"{table}"'.encode()) for table in (OLD, NEW)})


def _body(params: Any) -> bytes:
    body = params["body"]
    return body if isinstance(body, bytes) else str(body).encode()
