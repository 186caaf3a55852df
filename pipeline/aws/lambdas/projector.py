"""The Lambda that projects feedback into the suppression table, from a Kinesis stream, an SQS queue or an SNS topic.

Records that are not done are tried again; joining those that were done already has no effect. The response depends on
the source:

- Kinesis: exactly one failed record, the first that an outage stopped. Lambda continues from there.
- SQS: every message from that one on. Lambda deletes the others.
- SNS: an error. Lambda tries twice more, and then stores the event in S3.

Only an outage fails a batch. A record that raises an unexpected exception is found by bisecting the batch, and
quarantined like any other poison: failing would block its shard for days. Only after a crash or a time-out does Lambda
bisect the batch itself.

Records of the stream are in the event log already: SES puts events there, and the author of a decision puts it there.
Records received through SNS or SQS are not, so the projector appends them, after the table and only as far as the table
got. A table ignores a repeated event, but the log gets a further row for it; this order keeps such rows rare. A record
is acknowledged once table and log have it.
docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html, services-sqs-errorhandling.html and
invocation-async-error-handling.html
"""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from pipeline.aws.archive.firehose import FirehoseLog
from pipeline.aws.lambdas.events import EventBatch, EventSource, read_batch
from pipeline.aws.metrics import count_projected
from pipeline.aws.runtime import Runtime
from pipeline.aws.settings import DELIVERY_STREAM, NAMESPACE, read_settings, service_name
from pipeline.batch import Counts
from pipeline.errors import STOPS_BATCH, PartialBatchFailure
from pipeline.projection import BatchProjector, BatchResult

logger = Logger(service=service_name("projector"))
metrics = Metrics(namespace=NAMESPACE, service=service_name("projector"))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Project a batch, publish its counts, and return Lambda's response.

    Raises:
        UsageError: The settings are invalid, or the projector cannot read the event.
        Unavailable, AccessDenied, NotFound: SNS invoked the Lambda, and this error stopped the batch.
    """
    batch = read_batch(event)
    result = _project_current(batch, _runtime())
    _report(result)
    return _response(batch, result)


@cache
def _runtime() -> Runtime:
    """Read the settings and make the clients, once per container."""
    runtime = Runtime(read_settings(), warn=_warn_of_old_tables)
    runtime.start()
    return runtime


def _project_current(batch: EventBatch, runtime: Runtime) -> BatchResult:
    """Project a batch into the current tables. While these are unknown, the whole batch fails."""
    try:
        projector = runtime.projector()
    except STOPS_BATCH as cause:
        return BatchResult(cause=cause, failed_at=0)
    return _project(batch, projector, None if batch.source is EventSource.KINESIS else _log(runtime))


def _log(runtime: Runtime) -> FirehoseLog | None:
    if runtime.log is None:
        _warn_of_missing_log()
    return runtime.log


def _project(batch: EventBatch, projector: BatchProjector, log: FirehoseLog | None) -> BatchResult:
    """Project a batch, then append what is done to the log. A record that the log did not get is not done."""
    result = projector.project(batch.records)
    if log:
        try:
            result.counts += Counts(quarantined=log.put(batch.records[: result.failed_at]))
        except PartialBatchFailure as failure:
            result.cause, result.failed_at = failure, failure.failed_at
    return result


def _report(result: BatchResult) -> None:
    count_projected(metrics, result)
    if result.cause:
        logger.warning("the batch is unfinished; Lambda tries again", cause=str(result.cause))
    if result.internal_errors:
        logger.error("records are in quarantine for internal errors", errors=dict(result.internal_errors))


def _response(batch: EventBatch, result: BatchResult) -> dict[str, Any]:
    failed_ids = [] if result.failed_at is None else batch.ids[result.failed_at :]
    match batch.source:
        case EventSource.KINESIS:
            failed_ids = failed_ids[:1]
        case EventSource.SNS if result.cause:
            raise result.cause from None  # its own cause may quote an address, and Lambda logs the whole chain
    return {"batchItemFailures": [{"itemIdentifier": failed_id} for failed_id in failed_ids]}


def _warn_of_old_tables(why: str) -> None:
    logger.warning("the parameter of the live table cannot be read; its last value is used", why=why)


@cache
def _warn_of_missing_log() -> None:
    """Warn once per container instead of once per batch."""
    logger.warning(
        "records from SNS or SQS are stored in the table only: no variable names the log's delivery stream",
        unset=DELIVERY_STREAM,
    )


def project_event(
    event: dict[str, Any], *, projector: BatchProjector, log: FirehoseLog | None = None
) -> dict[str, Any]:
    """Project a batch with the given projector, as the local cloud does, and return Lambda's response.

    Args:
        event: The event of an event source mapping, or of SNS.
        projector: The projector of the tables.
        log: The event log for records from SNS or SQS; None to store them in the table only.

    Raises:
        UsageError: The projector cannot read the event.
        Unavailable, AccessDenied, NotFound: SNS sent the event, and this error stopped the batch.
    """
    batch = read_batch(event)
    return _response(batch, _project(batch, projector, log))
