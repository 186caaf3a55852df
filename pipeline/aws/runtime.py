"""The objects that a projector works with, made from its settings once per process.

Clients are made when they are first needed, because each lengthens a Lambda's start: S3's for the first quarantined
payload, Firehose's for the first record that goes into the event log. The tables may change while the process runs.
"""

import time
from collections.abc import Callable
from functools import cache, cached_property

from pipeline.aws.archive.firehose import FirehoseLog
from pipeline.aws.batching import Each
from pipeline.aws.clients import Clients, without_garbage_collection
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.quarantine import S3Quarantine
from pipeline.aws.settings import Settings
from pipeline.aws.stack import SuppressionTables, read_tables
from pipeline.errors import MailfoldError, ServiceUnavailable
from pipeline.ports import Quarantined
from pipeline.projection import BatchProjector

MAX_AGE_SECONDS = 60  # one request a minute; SSM's standard throughput is free
GOOD_SECONDS = 300  # longer than SSM usually throttles; shorter than a rebuild that makes another table the live one
BATCH_SECONDS = 120  # of the projector at most: its time-out in infra/mailfold.yaml
KNOWN_AFTER_SECONDS = GOOD_SECONDS + MAX_AGE_SECONDS + BATCH_SECONDS
"""The time after which every projector uses a changed parameter or, if it cannot read it, writes nothing."""


class Runtime:
    """Makes a projector for the current tables, and everything else once.

    Args:
        settings: The settings of the process.
        warn: Called with the reason if the parameter of the live table cannot be read; see `LiveTables`.
        clients: boto3 clients; None for those of this process's account and region.
        each: Makes the calls of the tables; see `DynamoSuppressionStore`.
        max_age_seconds: The time after which the parameter is read again; see `LiveTables`.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        warn: Callable[[str], None],
        clients: Clients | None = None,
        each: Each = map,
        max_age_seconds: float = MAX_AGE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._clients, self._each = clients or Clients(), each
        self._store = cache(self._new_store)
        self._quarantine = _LazyQuarantine(self._clients, settings.bucket)
        self._tables = LiveTables(
            self._read_tables, default=settings.table, warn=warn, max_age_seconds=max_age_seconds, clock=clock
        )

    def start(self) -> None:
        """Make the clients that every batch needs. A Lambda's initialization has more CPU than its first batch."""
        with without_garbage_collection():
            _ = self._clients.dynamodb
            if self._settings.tables_parameter is not None:
                _ = self._clients.ssm

    def projector(self) -> BatchProjector:
        """Return the projector of the current tables.

        Raises:
            ServiceUnavailable: They are unknown; see `LiveTables.current`.
        """
        tables = self._tables.current()
        return BatchProjector(
            store=self._store(tables.live),
            shadow_stores=[self._store(table) for table in tables.shadow_tables],
            quarantine=self._quarantine,
            policy=tables.newest_policy(self._settings.policy),
            shadow_policy=tables.shadow_policy,
            read_again=self._projector_of_new_tables,
        )

    def _projector_of_new_tables(self) -> BatchProjector:
        self._tables.expire()
        return self.projector()

    @cached_property
    def log(self) -> FirehoseLog | None:
        """The event log's delivery stream, or None if the settings name none."""
        stream = self._settings.delivery_stream
        if stream is None:
            return None
        return FirehoseLog(self._clients.firehose, delivery_stream=stream, quarantine=self._quarantine)

    def _new_store(self, table: str) -> DynamoSuppressionStore:
        return DynamoSuppressionStore(self._clients.dynamodb, table=table, each=self._each)

    def _read_tables(self) -> SuppressionTables | None:
        parameter = self._settings.tables_parameter
        return None if parameter is None else read_tables(self._clients.ssm, parameter=parameter)


class _LazyQuarantine:
    """The quarantine in S3, whose client is made for the first payload; see `ports.Quarantine`."""

    def __init__(self, clients: Clients, bucket: str) -> None:
        self._clients, self._bucket = clients, bucket

    def put(self, quarantined: Quarantined) -> None:
        S3Quarantine(self._clients.s3, bucket=self._bucket).put(quarantined)


class LiveTables:
    """The tables that the parameter names, read at most once a minute.

    A rebuild fills a second table while projectors run, and then makes it the live one. Each projector follows within
    a minute, without a restart. One that could not follow would write to an old table, which would go unnoticed. So
    what was read is good for some minutes only, and a parameter that disappears is an outage.

    Args:
        read: Reads the parameter (`stack.read_tables`); returns None if it does not exist.
        default: The live table if the parameter never existed.
        warn: Called with the reason if the parameter cannot be read and its last value is used.
        max_age_seconds: The time after which it is read again.
        clock: Monotonic seconds.
    """

    def __init__(
        self,
        read: Callable[[], SuppressionTables | None],
        *,
        default: str,
        warn: Callable[[str], None],
        max_age_seconds: float = MAX_AGE_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._read, self._default = read, default
        self._warn, self._max_age_seconds, self._clock = warn, max_age_seconds, clock
        self._last: SuppressionTables | None = None
        self._existed = False
        self._good_until_seconds = self._next_read_at_seconds = 0.0

    def current(self) -> SuppressionTables:
        """Return the live table and the shadow tables.

        Raises:
            ServiceUnavailable: The parameter is missing although it existed, or it cannot be read or is invalid, and
                was not read in the last `GOOD_SECONDS`. Waiting is better than writing to the wrong table.
        """
        if self._last is None or self._clock() >= self._next_read_at_seconds:
            self._last = self._read_or_keep(self._last)
            # A read may itself take most of a minute.
            self._next_read_at_seconds = self._clock() + self._max_age_seconds
        return self._last

    def expire(self) -> None:
        """Let the next call read the parameter, because an item shows that it has changed."""
        self._next_read_at_seconds = 0.0

    def _read_or_keep(self, last: SuppressionTables | None) -> SuppressionTables:
        try:
            tables = self._read()
        except MailfoldError as error:
            if last is None or self._clock() >= self._good_until_seconds:
                raise ServiceUnavailable(f"the parameter of the live table cannot be read: {error}") from error
            self._warn(str(error))
            return last
        if tables is None and self._existed:
            raise ServiceUnavailable(
                "the parameter of the live table is missing, although it existed: restore it from its history, or "
                "create it again with the name of the live table"
            )
        self._existed = tables is not None
        self._good_until_seconds = self._clock() + GOOD_SECONDS
        return tables or SuppressionTables(live=self._default)
