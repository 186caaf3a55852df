"""A record processor's process: what it finds in its environment, and its end.

The two pipes between a record processor and its daemon: the process's own standard input and output, taken from it.

A line of JSON on standard output is an answer to the daemon, whoever wrote it; one that nobody asked for acknowledges
what is not done. So everything else that writes there, in Python or in C, writes to standard error instead.
"""

import os
import select
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import TextIO

import msgspec
from amazon_kclpy.kcl import KCLProcess
from aws_lambda_powertools import Logger

from pipeline.aws.errors import translated
from pipeline.aws.kcl.record_processor import RecordProcessor
from pipeline.aws.kcl.telemetry import Telemetry
from pipeline.aws.runtime import Runtime
from pipeline.aws.settings import read_consumer_settings, service_name
from pipeline.errors import AccessDenied, Unavailable, UsageError, describe
from pipeline.projection import BatchProjector

IN, OUT, ERROR = 0, 1, 2  # POSIX's numbers of the standard streams


class Stdio(msgspec.Struct, frozen=True, kw_only=True):
    """What a record processor and its daemon speak through.

    Attributes:
        source: What the daemon says.
        sink: What it is told.
    """

    source: TextIO
    sink: TextIO

    def wait(self, seconds: float) -> bool:
        """Wait, while the daemon is there; return whether it still is."""
        hang_up = select.poll()
        hang_up.register(self.source, 0)  # no event but the end of the pipe, which is always told
        return not hang_up.poll(seconds * 1_000)


def take_stdio() -> Stdio:
    """Take standard input and output away from everything else in this process, once and for good.

    Both are UTF-8, whatever the locale says: the daemon writes JSON, and the standard says so (RFC 8259).
    """
    pipes = Stdio(
        source=os.fdopen(os.dup(IN), encoding="utf-8", errors="replace", newline="\n"),
        sink=os.fdopen(os.dup(OUT), "w", encoding="utf-8", newline="\n"),
    )
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, IN)
    os.close(nothing)
    os.dup2(ERROR, OUT)
    sys.stdout = sys.stderr
    return pipes


DONE, GIVEN_UP, MISUSED = 0, 1, 2  # exit

# DynamoDB answers a put in some milliseconds, and in that time a core prepares as many others: more would only queue up
# before Python's lock. boto3 keeps ten connections open.
SAVES_AT_ONCE = 8


def process_messages(pipes: Stdio) -> int:
    """Do what the daemon says until it closes its pipe, and return with what to exit.

    Raises:
        SystemExit: Records would otherwise be passed that are not stored.
    """
    service = service_name("consumer")
    logger = Logger(service=service, stream=sys.stderr, utc=True, use_rfc3339=True)
    try:
        processor = _processor(pipes, service, logger)
        KCLProcess(processor, pipes.source, pipes.sink, sys.stderr).run()
    except (UsageError, AccessDenied) as error:
        logger.error("the process cannot begin", why=str(error))  # noqa: TRY400 - it says all there is
        return MISUSED
    except Exception as error:  # noqa: BLE001 - what kclpy raises for a line that is no message quotes the line
        logger.error("the daemon has gone, or cannot be understood", why=describe(error))  # noqa: TRY400 - a traceback may quote the line
        return GIVEN_UP
    return DONE


def _processor(pipes: Stdio, service: str, logger: Logger) -> RecordProcessor:
    """Make what is made once in a process, the client of the table with it: without a region there is none."""
    settings, consumer = read_consumer_settings()
    wiring = Runtime(settings, warn=lambda why: logger.warning("the live table's parameter cannot be read", why=why))
    with suppress(Unavailable), translated("making the clients"):
        wiring.projector()
    pool = ThreadPoolExecutor(SAVES_AT_ONCE)

    def projector() -> BatchProjector:
        return msgspec.structs.replace(wiring.projector(), map_function=pool.map)

    return RecordProcessor(
        projector, settings=consumer, report=Telemetry(service=service, logger=logger), wait=pipes.wait
    )
