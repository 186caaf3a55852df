"""A record processor's process: what it finds in its environment, and its end."""

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import msgspec
from amazon_kclpy.kcl import KCLProcess
from aws_lambda_powertools import Logger

from pipeline.aws.kcl.pipe import Pipes
from pipeline.aws.kcl.record_processor import RecordProcessor
from pipeline.aws.kcl.report import Report
from pipeline.aws.refusal import asking
from pipeline.aws.settings import read_consumer_settings, service_name
from pipeline.aws.wiring import Wiring
from pipeline.errors import Misuse, Outage
from pipeline.fault import fault
from pipeline.projector import Projector

DONE, GIVEN_UP, MISUSED = 0, 1, 2  # exit

# DynamoDB answers a put in some milliseconds, and in that time a core prepares as many others: more would only queue up
# before Python's lock. boto3 keeps ten connections open.
SAVES_AT_ONCE = 8


def serve(pipes: Pipes) -> int:
    """Do what the daemon says until it closes its pipe, and return with what to exit.

    Raises:
        SystemExit: Records would otherwise be passed that are not stored.
    """
    service = service_name("consumer")
    logger = Logger(service=service, stream=sys.stderr, utc=True, use_rfc3339=True)
    try:
        processor = _processor(pipes, service, logger)
        KCLProcess(processor, pipes.source, pipes.sink, sys.stderr).run()
    except Misuse as error:
        logger.error("the process cannot begin", why=str(error))  # noqa: TRY400 - it says all there is
        return MISUSED
    except Exception as error:  # noqa: BLE001 - what kclpy raises for a line that is no message quotes the line
        logger.error("the daemon has gone, or cannot be understood", why=fault(error))  # noqa: TRY400 - a traceback may quote the line
        return GIVEN_UP
    return DONE


def _processor(pipes: Pipes, service: str, logger: Logger) -> RecordProcessor:
    """Make what is made once in a process, the client of the table with it: without a region there is none."""
    settings, consumer = read_consumer_settings()
    wiring = Wiring(settings, warn=lambda why: logger.warning("the live table's parameter cannot be read", why=why))
    with suppress(Outage), asking("making the clients"):
        wiring.projector()
    pool = ThreadPoolExecutor(SAVES_AT_ONCE)

    def projector() -> Projector:
        return msgspec.structs.replace(wiring.projector(), each=pool.map)

    return RecordProcessor(projector, settings=consumer, report=Report(service=service, logger=logger), wait=pipes.wait)
