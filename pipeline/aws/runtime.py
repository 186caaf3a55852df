"""What a projector works on, by the settings: tables, quarantine, policy, the way into the log. Made once in a process.

A client is made when it is first needed, since each makes a Lambda's start longer: that of S3 when there is poison,
that of Firehose when there is something for the log.

Which tables a long-lived projector writes to at this moment: the parameter of the live table, read now and then.

A rebuild makes a second table while projectors run, and then makes it the live one. Each of them sees that within a
minute, without being started again. What it costs is one request a minute; SSM's standard throughput is free.
"""

import time
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

from pipeline.aws.archive.firehose import FirehoseLog
from pipeline.aws.clients import Service, create_client, uncollected
from pipeline.aws.dynamodb import DynamoSuppressionStore
from pipeline.aws.quarantine import S3Quarantine
from pipeline.aws.settings import Settings
from pipeline.aws.stack import SuppressionTables, read_tables
from pipeline.errors import MailfoldError, ServiceUnavailable
from pipeline.ports import Quarantine, Quarantined
from pipeline.projection import BatchProjector

MAX_AGE_SECONDS = 60


class LiveTables:
    """What the parameter said last, at most a minute ago."""

    def __init__(
        self,
        read: Callable[[], SuppressionTables | None],
        *,
        otherwise: str,
        warn: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Read nothing yet.

        Args:
            read: Asks for the parameter (`tables.read_tables`); None: there is none.
            otherwise: The live table then.
            warn: Told why the parameter could not be read, and that what it said before is still used.
            clock: Seconds that only go up.
        """
        self._read, self._otherwise = read, otherwise
        self._warn, self._clock = warn, clock
        self._known: SuppressionTables | None = None
        self._asked_at_seconds = 0.0

    def now(self) -> SuppressionTables:
        """Return the live table and those that are written to besides.

        Raises:
            ServiceUnavailable: The parameter cannot be read, or says nothing that can be, and was never read before. To
                write to some other table would be worse than to wait: nobody would notice.
        """
        if self._known is None or self._clock() - self._asked_at_seconds >= MAX_AGE_SECONDS:
            self._known = self._asked(self._known)
            self._asked_at_seconds = self._clock()  # after a failure too: asking may take most of a minute
        return self._known

    def _asked(self, known: SuppressionTables | None) -> SuppressionTables:
        try:
            return self._read() or SuppressionTables(live=self._otherwise)
        except MailfoldError as error:
            if known is None:
                raise ServiceUnavailable(f"which table is live cannot be read: {error}") from error
            self._warn(str(error))
            return known


class Runtime:
    """Makes a projector for the tables of the moment, and everything else once."""

    def __init__(
        self,
        settings: Settings,
        *,
        warn: Callable[[str], None],
        connect: Callable[[Service], Any] = create_client,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make no client yet.

        Args:
            settings: What the environment says.
            warn: Told why the parameter of the live table could not be read; see `LiveTables`.
            connect: Gives a client of a service.
            clock: Seconds that only go up.
        """
        self._settings = settings
        self._client = cache(connect)
        self._store = cache(self._new_store)
        self._quarantine = _LateQuarantine(self._new_quarantine)
        self._tables = LiveTables(self._read_tables, otherwise=settings.table, warn=warn, clock=clock)

    def start(self) -> None:
        """Make now what every batch needs: where time is cheapest, before the first one."""
        with uncollected():
            self._client("dynamodb")
            if self._settings.tables_parameter is not None:
                self._client("ssm")

    def projector(self) -> BatchProjector:
        """Return the projection into the tables of this moment.

        Raises:
            ServiceUnavailable: Nobody knows which those are; see `LiveTables.now`.
        """
        tables = self._tables.now()
        return BatchProjector(
            store=self._store(tables.live),
            shadow_stores=[self._store(table) for table in tables.shadow_tables],
            quarantine=self._quarantine,
            policy=self._settings.policy,
        )

    @cached_property
    def log(self) -> FirehoseLog | None:
        """The way into the log; None: the settings name none."""
        stream = self._settings.delivery_stream
        if stream is None:
            return None
        return FirehoseLog(self._client("firehose"), delivery_stream=stream, quarantine=self._quarantine)

    def _read_tables(self) -> SuppressionTables | None:
        parameter = self._settings.tables_parameter
        return None if parameter is None else read_tables(self._client("ssm"), parameter=parameter)

    def _new_store(self, table: str) -> DynamoSuppressionStore:
        return DynamoSuppressionStore(self._client("dynamodb"), table=table)

    def _new_quarantine(self) -> S3Quarantine:
        return S3Quarantine(self._client("s3"), bucket=self._settings.bucket)


class _LateQuarantine:
    """A quarantine that is made when the first payload is set aside; see `ports.Quarantine`."""

    def __init__(self, make: Callable[[], Quarantine]) -> None:
        self._make = cache(make)

    def put(self, quarantined: Quarantined) -> None:
        self._make().put(quarantined)
