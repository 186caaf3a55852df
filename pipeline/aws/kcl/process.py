"""The process of a record processor: its settings, its clients, its loop and its exit code.

Nothing here writes to standard output, which belongs to the daemon: see `stdio`.
github.com/awslabs/amazon-kinesis-client-python/blob/master/amazon_kclpy/kcl.py
"""

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

from amazon_kclpy.kcl import KCLProcess
from aws_lambda_powertools import Logger

from pipeline.aws.errors import translated
from pipeline.aws.kcl.record_processor import EXIT_FAILED, RecordProcessor
from pipeline.aws.kcl.stdio import Stdio
from pipeline.aws.kcl.telemetry import Telemetry
from pipeline.aws.runtime import Runtime
from pipeline.aws.settings import read_consumer_settings, service_name
from pipeline.errors import AccessDenied, Unavailable, UsageError, describe

EXIT_OK, EXIT_MISUSED = 0, 2

# DynamoDB answers within milliseconds, in which a core prepares a few other calls. More threads would only wait for
# Python's lock.
CALLS_AT_ONCE = 4


def process_messages(stdio: Stdio) -> int:
    """Process the daemon's messages until it closes its pipe, and return the exit code.

    Raises:
        SystemExit: A batch failed. Continuing would acknowledge records that are not stored.
    """
    service = service_name("consumer")
    logger = Logger(service=service, stream=sys.stderr, utc=True, use_rfc3339=True)
    try:
        processor = _create_processor(stdio, service, logger)
        KCLProcess(processor, stdio.source, stdio.sink, sys.stderr).run()
    except (UsageError, AccessDenied) as error:
        logger.error("the record processor cannot start", reason=str(error))  # noqa: TRY400 - a traceback adds nothing
        return EXIT_MISUSED
    except Exception as error:  # noqa: BLE001 - kclpy's error about a line that is no message quotes that line
        logger.error("the daemon is gone, or sent no valid message", reason=describe(error))  # noqa: TRY400 - likewise
        return EXIT_FAILED
    return EXIT_OK


def _create_processor(stdio: Stdio, service: str, logger: Logger) -> RecordProcessor:
    """Return the record processor. Creates DynamoDB's client at once, which raises an error without a region."""
    settings, consumer = read_consumer_settings()
    runtime = Runtime(
        settings,
        warn=lambda reason: logger.warning("the live table's parameter cannot be read", reason=reason),
        each=ThreadPoolExecutor(CALLS_AT_ONCE).map,
    )
    with suppress(Unavailable), translated("creating the clients"):
        runtime.projector()
    return RecordProcessor(
        runtime.projector, settings=consumer, telemetry=Telemetry(service=service, logger=logger), wait=stdio.wait
    )
