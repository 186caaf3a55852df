"""Failures between SES's feedback and the suppression table, for each alarm. infra/README.md has them as a table."""

from tests.infra import healthy_metrics as metric
from tests.infra.alarm_case import DIRECT, ELSEWHERE, LATE_MS, NOON, QUEUE, AlarmCase, once, since_noon, stopped
from tests.infra.healthy_metrics import BUSY, QUIET
from tests.support.cloudformation import CONTAINER
from tests.support.metric_history import every, rising

FEEDBACK_CASES = (
    AlarmCase(
        alarm="FeedbackLateAlarm",
        failure="DynamoDB denies writes of a busy stack; Lambda repeats each batch, whose age rises",
        history=since_noon(BUSY, {metric.ITERATOR_AGE: LATE_MS}),
        minutes=30,
    ),
    AlarmCase(
        alarm="FeedbackLateAlarm",
        failure="DynamoDB denies the only write of an hour; Lambda tries it again every ten minutes at the latest",
        history=since_noon(QUIET, {metric.ITERATOR_AGE: rising(60_000, first=NOON, minutes=10)}),
        minutes=40,
    ),
    AlarmCase(
        alarm="FeedbackLateAlarm",
        failure="the container is down, and publishes nothing",
        history=since_noon(BUSY, {metric.MILLIS_BEHIND: {}}),
        minutes=40,
        parameters=CONTAINER,
    ),
    AlarmCase(
        alarm="FeedbackLateAlarm",
        failure="the container runs, and is slower than the stream",
        history=since_noon(BUSY, {metric.MILLIS_BEHIND: LATE_MS}),
        minutes=30,
        parameters=CONTAINER,
    ),
    AlarmCase(
        alarm="FeedbackLateAlarm",
        failure="the consumer elsewhere is down, and Kinesis publishes no age because nothing reads the stream",
        history=since_noon(QUIET, {metric.READ_AGE: {}}),
        minutes=40,
        parameters=ELSEWHERE,
    ),
    AlarmCase(
        alarm="FeedbackUnreadAlarm",
        failure="the mapping is disabled: Lambda polls no more, and publishes no counts, not even zeros",
        history=stopped(
            QUIET, metric.POLLED, metric.ITERATOR_AGE, metric.PROJECTED, metric.UNFINISHED, metric.PROJECTOR_ERRORS
        ),
        minutes=40,
    ),
    AlarmCase(
        alarm="FeedbackGivenUpAlarm",
        failure="Lambda stops retrying a batch after days, and writes it to S3",
        history=once(metric.DISCARDED, 5),
        minutes=5,
    ),
    AlarmCase(
        alarm="FeedbackLostAlarm",
        failure="Lambda stops retrying a batch, and may not write it to S3",
        history=once(metric.DESTINATION_FAILURES),
        minutes=5,
    ),
    AlarmCase(
        alarm="QuarantineAlarm",
        failure="a producer writes one record that cannot be decoded into the stream",
        history=once(metric.QUARANTINED),
        minutes=5,
    ),
    AlarmCase(
        alarm="FaultAlarm",
        failure="one record raises an unexpected exception in the projector",
        history=once(metric.INTERNAL_ERRORS),
        minutes=5,
    ),
    AlarmCase(
        alarm="TableAwayAlarm",
        failure="DynamoDB is unavailable to a busy stack: batches end unfinished every minute",
        history=since_noon(BUSY, {metric.UNFINISHED: every(1, 2, first=NOON)}),
        minutes=45,
    ),
    AlarmCase(
        alarm="TableAwayAlarm",
        failure="DynamoDB is unavailable while one notification waits, which SQS returns every 12 minutes",
        history=since_noon(QUIET, {metric.UNFINISHED: every(12, 1, first=NOON)}),
        minutes=45,
        parameters=QUEUE,
    ),
    AlarmCase(
        alarm="RuleDeadLettersAlarm",
        failure="EventBridge could not put an event into the stream for a day",
        history=since_noon(QUIET, {metric.RULE_LETTERS: every(1, 1, first=NOON)}),
        minutes=5,
    ),
    AlarmCase(
        alarm="RuleLostAlarm",
        failure="EventBridge could put an event neither into the stream nor into the dead-letter queue",
        history=once(metric.RULE_LOST),
        minutes=5,
    ),
    AlarmCase(
        alarm="NotificationsLateAlarm",
        failure="one notification fails again and again; SQS leaves it out of the age after its third try",
        history=since_noon(QUIET, {metric.QUEUE_AGE: rising(60, first=NOON, last=NOON + 24)}),
        minutes=20,
        parameters=QUEUE,
    ),
    AlarmCase(
        alarm="NotificationDeadLettersAlarm",
        failure="a notification failed for four days",
        history=since_noon(QUIET, {metric.NOTIFICATION_LETTERS: every(1, 1, first=NOON)}),
        minutes=5,
        parameters=QUEUE,
    ),
    AlarmCase(
        alarm="NotificationsGivenUpAlarm",
        failure="the projector fails three times for one call of SNS",
        history=once(metric.ASYNC_DROPPED),
        minutes=5,
        parameters=DIRECT,
    ),
    AlarmCase(
        alarm="ProjectorErrorsAlarm",
        failure="one call of the projector times out",
        history=once(metric.PROJECTOR_ERRORS),
        minutes=5,
    ),
    AlarmCase(
        alarm="ProjectorThrottlesAlarm",
        failure="the account has no concurrency left for the projector, which Lambda tries to call all the time",
        history=since_noon(QUIET, {metric.PROJECTOR_THROTTLES: every(2, 3, first=NOON), metric.PROJECTOR_ERRORS: {}}),
        minutes=15,
    ),
    AlarmCase(
        alarm="StreamThrottlesAlarm",
        failure="a campaign exceeds the capacity of the stream's shards",
        history=since_noon(BUSY, {metric.STREAM_THROTTLES: every(1, 50, first=NOON)}),
        minutes=15,
    ),
    AlarmCase(
        alarm="DriftAlarm",
        failure="the rule of a busy stack is disabled: the log counts bounces, and the projector is not called",
        history=stopped(BUSY, metric.PROJECTED, metric.STREAM_RECORDS),
        minutes=120,
    ),
    AlarmCase(
        alarm="DriftAlarm",
        failure="the destination feedback of a stack with one bounce an hour is disabled",
        history=stopped(QUIET, metric.PROJECTED, metric.STREAM_RECORDS),
        minutes=240,
    ),
    AlarmCase(
        alarm="DriftAlarm",
        failure="the rule of a stack with a consumer elsewhere is disabled: the stream receives nothing",
        history=stopped(QUIET, metric.PROJECTED, metric.STREAM_RECORDS),
        minutes=240,
        parameters=ELSEWHERE,
    ),
)
