"""The Lambda that projects feedback into the suppression table: from the stream, and from a topic, directly or queued.

What is not done is tried again, and what was done already is then joined again without effect. How Lambda is told:

- Kinesis: exactly one failed record, the first that an outage kept from being done. Lambda goes on from there.
- SQS: every message from that one on. The others are deleted.
- SNS: an error. Lambda tries twice more, and then keeps the call in S3.

Nothing but an outage fails a batch. A record that trips an error of ours is found by halving the batch, and set aside
like any other poison: raising would hold up its shard for days and heal nothing. Only a crash or a time-out of the
whole function leaves a batch to Lambda's own bisecting.

What the stream carries is in the log already: SES puts it there, and so does whoever decides. What comes by SNS or SQS
is not, so the projector puts it there: after the table, and only as far as the table came. A table forgets repetitions,
while the log gets another row of each; so that the log gets few, what may be away for hours comes before it. A record
is acknowledged once both have it, and the failure of either repeats no more than is not done, or is not known to be.
docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html, services-sqs-errorhandling.html and
invocation-async-error-handling.html
"""

from functools import cache
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.typing import LambdaContext

from pipeline.aws.archive.firehose import FirehoseLog
from pipeline.aws.lambdas.events import EventBatch, EventSource, read_batch
from pipeline.aws.metrics import NAMESPACE, count_projected
from pipeline.aws.runtime import Runtime
from pipeline.aws.settings import DELIVERY_STREAM, read_settings, service_name
from pipeline.batch import Counts
from pipeline.errors import STOPS_BATCH, PartialBatchFailure
from pipeline.policy import Policy
from pipeline.ports import Quarantine, SuppressionStore
from pipeline.projection import BatchProjector, BatchResult

logger = Logger(service=service_name("projector"))
metrics = Metrics(namespace=NAMESPACE, service=service_name("projector"))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Project a batch, publish the counts, and answer Lambda.

    Raises:
        UsageError: The settings are wrong, or the event is of a kind that the projector does not read.
        Unavailable: SNS called, and something is away.
    """
    batch = read_batch(event)
    done = _done(batch, _wiring())
    _report(done)
    return _answer(batch, done)


def project_event(
    event: dict[str, Any],
    *,
    store: SuppressionStore,
    quarantine: Quarantine,
    policy: Policy,
    log: FirehoseLog | None = None,
) -> dict[str, Any]:
    """Project a batch, and return what Lambda is answered.

    Args:
        event: What a mapping, or SNS, calls with.
        store: The suppression table.
        quarantine: Where poison is set aside.
        policy: What gives the verdicts.
        log: Gets what came by SNS or SQS; None: it goes into the table alone.

    Raises:
        UsageError: The event is of a kind that the projector does not read.
        Unavailable: SNS called, and something is away.
    """
    batch = read_batch(event)
    return _answer(batch, _project(batch, BatchProjector(store=store, quarantine=quarantine, policy=policy), log))


@cache
def _wiring() -> Runtime:
    """Read the settings and make the clients, once in a container."""
    wiring = Runtime(read_settings(), warn=_warn_of_old_tables)
    wiring.start()
    return wiring


def _done(batch: EventBatch, wiring: Runtime) -> BatchResult:
    try:
        projector = wiring.projector()
    except STOPS_BATCH as cause:
        return BatchResult(cause=cause, failed_at=0)
    return _project(batch, projector, None if batch.source is EventSource.KINESIS else _log(wiring))


def _log(wiring: Runtime) -> FirehoseLog | None:
    if wiring.log is None:
        _warn_of_no_log()
    return wiring.log


def _project(batch: EventBatch, projector: BatchProjector, log: FirehoseLog | None) -> BatchResult:
    """Project a batch; then put what is done into the log, and count as undone what the log did not get."""
    done = projector.project(batch.records)
    if log:
        try:
            done.counts += Counts(quarantined=log.put(batch.records[: done.failed_at]))
        except PartialBatchFailure as outage:
            done.cause, done.failed_at = outage, outage.failed_at
    return done


def _answer(batch: EventBatch, done: BatchResult) -> dict[str, Any]:
    undone = [] if done.failed_at is None else batch.ids[done.failed_at :]
    match batch.source:
        case EventSource.KINESIS:
            undone = undone[:1]
        case EventSource.SNS if done.cause:
            raise done.cause from None  # what it came from may quote an address, and Lambda logs it all
    return {"batchItemFailures": [{"itemIdentifier": each} for each in undone]}


def _report(done: BatchResult) -> None:
    count_projected(metrics, done)
    if done.cause:
        logger.warning("a batch is unfinished; Lambda tries again", cause=str(done.cause))
    if done.internal_errors:
        logger.error("records are in quarantine for internal errors", errors=dict(done.internal_errors))


def _warn_of_old_tables(why: str) -> None:
    logger.warning("the parameter of the live table cannot be read; what it said before is used", why=why)


@cache
def _warn_of_no_log() -> None:
    """Say once in a container what would otherwise be said with every batch."""
    logger.warning(
        "what comes by SNS or SQS goes into the table alone: no variable names a way into the log",
        unset=DELIVERY_STREAM,
    )
