"""Metrics that the template's alarms watch, and what AWS publishes of them for healthy deployments.

Lambda publishes counts of a function when it is called, zeros included, and Mailfold with it; counts by kind of event
have no zeros. EventBridge and Lambda's destinations publish failures only. SQS publishes nothing about a queue that was
empty for hours.
"""

from tests.support.cloudformation import NAME
from tests.support.metric_history import MINUTES, History, Metric, a_metric, every

STREAM, DELIVERY = {"StreamName": "{FeedbackStream}"}, {"DeliveryStreamName": "{DeliveryStream}"}
MAPPING, RULE = {"EventSourceMappingUUID": "{StreamMapping}"}, {"RuleName": "{FeedbackRule}"}
TRANSFORM, PROJECTOR = {"FunctionName": "{Transform}"}, {"FunctionName": "{Projector}"}
RECONCILER = {"FunctionName": "{Reconciler}"}


def counted_by(function: str, name: str) -> Metric:
    """Return a metric of Mailfold."""
    return a_metric("Mailfold", name, service=f"{NAME}-{function}")


def depth(queue: str) -> Metric:
    """Return the number of visible messages of a queue."""
    return a_metric("AWS/SQS", "ApproximateNumberOfMessagesVisible", QueueName=f"{{{queue}.QueueName}}")


ITERATOR_AGE = a_metric("AWS/Lambda", "IteratorAge", **PROJECTOR)
MILLIS_BEHIND = counted_by("projector", "MillisBehindLatest")
READ_AGE = a_metric("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", **STREAM)
STREAM_RECORDS = a_metric("AWS/Kinesis", "IncomingRecords", **STREAM)
STREAM_THROTTLES = a_metric("AWS/Kinesis", "WriteProvisionedThroughputExceeded", **STREAM)
POLLED = a_metric("AWS/Lambda", "PolledEventCount", **MAPPING)
DISCARDED = a_metric("AWS/Lambda", "OnFailureDestinationDeliveredEventCount", **MAPPING)
DESTINATION_FAILURES = a_metric("AWS/Lambda", "DestinationDeliveryFailures", **PROJECTOR)
ASYNC_DROPPED = a_metric("AWS/Lambda", "AsyncEventsDropped", **PROJECTOR)
PROJECTOR_ERRORS, TRANSFORM_ERRORS, RECONCILER_ERRORS = (
    a_metric("AWS/Lambda", "Errors", **function) for function in (PROJECTOR, TRANSFORM, RECONCILER)
)
PROJECTOR_THROTTLES, TRANSFORM_THROTTLES = (
    a_metric("AWS/Lambda", "Throttles", **function) for function in (PROJECTOR, TRANSFORM)
)
QUARANTINED, INTERNAL_ERRORS, UNFINISHED, PROJECTED = (
    counted_by("projector", name) for name in ("Quarantined", "InternalErrors", "Unfinished", "BounceEvents")
)
FAILED, LOGGED_SENDS, LOGGED_BOUNCES = (
    counted_by("transform", name) for name in ("Failed", "SendEvents", "BounceEvents")
)
LACKING, SURGES, PROVED_DAYS = (
    counted_by("reconciler", name) for name in ("LackingItems", "BounceSurges", "DaysSinceProved")
)
FRESHNESS = a_metric("AWS/Firehose", "DeliveryToS3.DataFreshness", **DELIVERY)
UNCONVERTED = a_metric("AWS/Firehose", "FailedConversion.Records", **DELIVERY)
TRANSFORMING = a_metric("AWS/Firehose", "ExecuteProcessing.Success", **DELIVERY)
LOG_THROTTLES = a_metric("AWS/Firehose", "ThrottledRecords", **DELIVERY)
LOG_BYTES = a_metric("AWS/Firehose", "IncomingBytes", **DELIVERY)
LOG_QUOTA = a_metric("AWS/Firehose", "BytesPerSecondLimit", **DELIVERY)
RULE_LOST = a_metric("AWS/Events", "InvocationsFailedToBeSentToDlq", **RULE)
RULE_LETTERS, NOTIFICATION_LETTERS = depth("RuleDeadLetters"), depth("NotificationDeadLetters")
QUEUE_AGE = a_metric("AWS/SQS", "ApproximateAgeOfOldestMessage", QueueName="{NotificationQueue.QueueName}")
SENDS = a_metric("AWS/SES", "Send")
BOUNCE_RATE, COMPLAINT_RATE = (a_metric("AWS/SES", f"Reputation.{rate}Rate") for rate in ("Bounce", "Complaint"))

MIB = 1 << 20
LOGGED_LATER = 2  # minutes, in which Firehose buffers records for the transform

IDLE: History = {
    POLLED: every(1, 0),
    MILLIS_BEHIND: every(1, 0),
    READ_AGE: every(1, 0),
    LOG_QUOTA: every(1, MIB),
    RECONCILER_ERRORS: {180: 0},
    LACKING: {180: 0},
    SURGES: {180: 0},
    PROVED_DAYS: {180: 6},
}
"""No mail. A reconciliation runs at night. Consumers poll; nothing else publishes."""


def reports(every_minutes: int) -> History:
    """Return the metrics of a report that is sent every so often, at the end of an hour, to an address that bounces.

    The log counts it in the next hour.
    """
    sent_at, logged_at = 59, 59 + LOGGED_LATER
    mails, calls = every(every_minutes, 1, first=sent_at), every(every_minutes, 0, first=sent_at)
    logged, batches = every(every_minutes, 1, first=logged_at), every(every_minutes, 0, first=logged_at)
    return {
        **IDLE,
        **dict.fromkeys((SENDS, STREAM_RECORDS, PROJECTED, QUEUE_AGE), mails),
        ITERATOR_AGE: every(every_minutes, 900, first=sent_at),
        LOG_BYTES: every(every_minutes, 4_000, first=sent_at),
        **dict.fromkeys((PROJECTOR_ERRORS, PROJECTOR_THROTTLES, QUARANTINED, INTERNAL_ERRORS, UNFINISHED), calls),
        STREAM_THROTTLES: calls,
        **dict.fromkeys((LOGGED_SENDS, LOGGED_BOUNCES, TRANSFORMING), logged),
        **dict.fromkeys((TRANSFORM_ERRORS, TRANSFORM_THROTTLES, FAILED, UNCONVERTED, LOG_THROTTLES), batches),
        FRESHNESS: every(every_minutes, 960, first=sent_at + 16),
        BOUNCE_RATE: every(60, 0.02),
        COMPLAINT_RATE: every(60, 0.0002),
    }


QUIET = reports(60)
"""One bounce an hour."""

_none = every(1, 0)

BUSY: History = {
    **IDLE,
    SENDS: every(1, 7_000),
    STREAM_RECORDS: every(1, 150),
    STREAM_THROTTLES: {**_none, 300: 20},
    POLLED: every(1, 150),
    MILLIS_BEHIND: {**every(1, 200), **every(1, 120_000, first=300, last=310)},
    READ_AGE: {**every(1, 200), **every(1, 120_000, first=300, last=310)},
    ITERATOR_AGE: {**every(1, 600), **every(1, 120_000, first=300, last=310)},
    **dict.fromkeys((DISCARDED, PROJECTOR_ERRORS, QUARANTINED, INTERNAL_ERRORS), _none),
    PROJECTOR_THROTTLES: {**_none, 300: 4},
    UNFINISHED: {**_none, 300: 1, 900: 1},
    PROJECTED: every(1, 140),
    **dict.fromkeys((TRANSFORM_ERRORS, TRANSFORM_THROTTLES, FAILED, UNCONVERTED, LOG_THROTTLES), _none),
    LOGGED_SENDS: every(1, 7_000),
    LOGGED_BOUNCES: every(1, 140),
    TRANSFORMING: every(1, 1),
    LOG_BYTES: every(1, 60 * 0.6 * MIB),
    FRESHNESS: {minute: 60.0 * (1 + minute % 15) for minute in range(MINUTES)},
    QUEUE_AGE: {**every(1, 3), **{300 + minute: 60.0 * minute for minute in range(13)}},
    BOUNCE_RATE: every(60, 0.04),
    COMPLAINT_RATE: every(60, 0.0008),
}
"""Ten million mails a day. A burst is throttled once, and one notification is tried again after 12 minutes."""

HEALTHY = {
    "no mail": IDLE,
    "one bounce in seven hours": reports(7 * 60),
    "one bounce an hour": QUIET,
    "ten million mails a day": BUSY,
}
