"""Which tables a long-lived projector writes to at this moment: the parameter of the live table, read now and then.

A rebuild makes a second table while projectors run, and then makes it the live one. Each of them sees that within a
minute, without being started again. What it costs is one request a minute; SSM's standard throughput is free.
"""

import time
from collections.abc import Callable

from pipeline.aws.tables import Tables
from pipeline.errors import CloudUnavailable, MailfoldError

MAX_AGE_SECONDS = 60


class LiveTables:
    """What the parameter said last, at most a minute ago."""

    def __init__(
        self,
        read: Callable[[], Tables | None],
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
        self._known: Tables | None = None
        self._asked_at_seconds = 0.0

    def now(self) -> Tables:
        """Return the live table and those that are written to besides.

        Raises:
            CloudUnavailable: The parameter cannot be read, or says nothing that can be, and was never read before. To
                write to some other table would be worse than to wait: nobody would notice.
        """
        if self._known is None or self._clock() - self._asked_at_seconds >= MAX_AGE_SECONDS:
            self._known = self._asked(self._known)
            self._asked_at_seconds = self._clock()  # after a failure too: asking may take most of a minute
        return self._known

    def _asked(self, known: Tables | None) -> Tables:
        try:
            return self._read() or Tables(live=self._otherwise)
        except MailfoldError as error:
            if known is None:
                raise CloudUnavailable(f"which table is live cannot be read: {error}") from error
            self._warn(str(error))
            return known
