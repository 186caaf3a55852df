"""What a projector works on, by the settings: tables, quarantine, policy, the way into the log. Made once in a process.

A client is made when it is first needed, since each makes a Lambda's start longer: that of S3 when there is poison,
that of Firehose when there is something for the log.
"""

import time
from collections.abc import Callable
from functools import cache, cached_property
from typing import Any

from pipeline.aws.clients import Service, client, uncollected
from pipeline.aws.live_tables import LiveTables
from pipeline.aws.log_firehose import FirehoseLog
from pipeline.aws.quarantine_s3 import S3Quarantine
from pipeline.aws.settings import Settings
from pipeline.aws.store_dynamodb import DynamoSuppressionStore
from pipeline.aws.tables import Tables, read_tables
from pipeline.ports import Quarantine, Quarantined
from pipeline.projector import Projector


class Wiring:
    """Makes a projector for the tables of the moment, and everything else once."""

    def __init__(
        self,
        settings: Settings,
        *,
        warn: Callable[[str], None],
        connect: Callable[[Service], Any] = client,
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

    def projector(self) -> Projector:
        """Return the projection into the tables of this moment.

        Raises:
            CloudUnavailable: Nobody knows which those are; see `LiveTables.now`.
        """
        tables = self._tables.now()
        return Projector(
            store=self._store(tables.live),
            also=[self._store(table) for table in tables.also],
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

    def _read_tables(self) -> Tables | None:
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
