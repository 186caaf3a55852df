"""The Lambda that projects the feedback stream: batches of a Kinesis shard into the suppression table.

It reports exactly one failed record: the first that an outage kept from being done. Lambda tries again from there, and
what was done already is joined again without effect. Nothing else fails a batch. A record that trips an error of ours
is found by halving the batch, and set aside like any other poison: raising would hold up its shard for days and heal
nothing. Only a crash or a time-out of the whole function leaves a batch to Lambda's own bisecting.
docs.aws.amazon.com/lambda/latest/dg/services-kinesis-batchfailurereporting.html
"""

from functools import cache
from typing import Any

import msgspec
from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.utilities.data_classes import KinesisStreamEvent
from aws_lambda_powertools.utilities.data_classes.kinesis_stream_event import KinesisStreamRecord
from aws_lambda_powertools.utilities.typing import LambdaContext
from pybase64 import b64decode

from pipeline.aws.clients import client
from pipeline.aws.metric import NAMESPACE, count, count_events
from pipeline.aws.quarantine_s3 import S3Quarantine
from pipeline.aws.settings import read_settings, service_name
from pipeline.aws.store_dynamodb import DynamoSuppressionStore
from pipeline.gathering import StreamRecord
from pipeline.policy import Policy
from pipeline.ports import Quarantine, SuppressionStore
from pipeline.projector import Projected, Projector

logger = Logger(service=service_name("projector"))
metrics = Metrics(namespace=NAMESPACE, service=service_name("projector"))


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:  # noqa: ARG001 - Lambda's signature
    """Project a batch of the stream, answer Lambda, and publish the counts."""
    response, done = _projected(event, _projector())
    _report(done)
    return response


def project_event(
    event: dict[str, Any], *, store: SuppressionStore, quarantine: Quarantine, policy: Policy
) -> dict[str, Any]:
    """Project a batch, and return what Lambda is answered: at most one failed record.

    Args:
        event: What Lambda's event source mapping calls with.
        store: The suppression table.
        quarantine: Where poison is set aside.
        policy: What gives the verdicts.
    """
    response, _ = _projected(event, Projector(store=store, quarantine=quarantine, policy=policy))
    return response


@cache
def _projector() -> Projector:
    """Make the clients, once in a container."""
    settings = read_settings()
    return Projector(
        store=DynamoSuppressionStore(client("dynamodb"), table=settings.table),
        quarantine=S3Quarantine(client("s3"), bucket=settings.bucket),
        policy=settings.policy,
    )


def _projected(event: dict[str, Any], projector: Projector) -> tuple[dict[str, Any], Projected]:
    records = list(KinesisStreamEvent(event).records)
    done = projector.project([_stream_record(record) for record in records])
    failed = [] if done.undone is None else [records[done.undone].kinesis.sequence_number]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed]}, done


def _stream_record(record: KinesisStreamRecord) -> StreamRecord:
    stream = record.event_source_arn.rpartition("/")[2]
    shard, _, sequence_number = record.event_id.partition(":")
    data = record.kinesis.data
    try:
        payload = b64decode(data, validate=True)
    except ValueError:
        payload = msgspec.json.encode({"Data": data})  # in its carrier, so that decoding says what is wrong with it
    return StreamRecord(payload=payload, position=f"{stream} {shard} {sequence_number}")


def _report(done: Projected) -> None:
    for tally in done.tallies:
        count_events(metrics, tally.events)
        count(metrics, {"Ignored": tally.ignored, "Quarantined": tally.quarantined, "Facts": tally.facts})
        count(metrics, {"Written": tally.written, "Unchanged": tally.unchanged})
    count(metrics, {"Faults": done.faults.total(), "Unfinished": int(done.outage is not None)})
    if done.outage:
        logger.warning("a batch is unfinished; Lambda tries again", outage=str(done.outage))
    if done.faults:
        logger.error("records are in quarantine for errors of ours", faults=dict(done.faults))
