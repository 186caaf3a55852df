"""Failures of the log, and of the account's mail, for each alarm. infra/README.md has them as a table."""

from tests.infra import healthy_metrics as metric
from tests.infra.alarm_case import NOON, AlarmCase, once, since_noon, stopped
from tests.infra.healthy_metrics import BUSY, MIB, QUIET
from tests.support.metric_history import every, rising

LOG_CASES = (
    AlarmCase(
        alarm="UntransformedAlarm",
        failure="the transform cannot decode one record",
        history=once(metric.FAILED),
        minutes=5,
    ),
    AlarmCase(
        alarm="TransformUncalledAlarm",
        failure="Firehose may not call the transform: neither the function nor Mailfold publishes anything",
        history=since_noon(
            stopped(QUIET, metric.FAILED, metric.TRANSFORM_ERRORS, metric.LOGGED_SENDS, metric.LOGGED_BOUNCES),
            {metric.TRANSFORMING: every(60, 0, first=NOON + 1)},
        ),
        minutes=5,
    ),
    AlarmCase(
        alarm="UnconvertedAlarm",
        failure="the Glue table lacks a column's type, and Firehose cannot convert one batch",
        history=once(metric.UNCONVERTED, 12),
        minutes=5,
    ),
    AlarmCase(
        alarm="LogLateAlarm",
        failure="the bucket policy denies Firehose, which keeps records back and tries again",
        history=since_noon(BUSY, {metric.FRESHNESS: rising(60, first=NOON)}),
        minutes=75,
    ),
    AlarmCase(
        alarm="TransformErrorsAlarm",
        failure="one call of the transform crashes",
        history=once(metric.TRANSFORM_ERRORS),
        minutes=5,
    ),
    AlarmCase(
        alarm="TransformThrottlesAlarm",
        failure="the account has no concurrency left for one call of the transform",
        history=once(metric.TRANSFORM_THROTTLES, 4),
        minutes=5,
    ),
    AlarmCase(
        alarm="LogThrottlesAlarm",
        failure="a campaign exceeds Firehose's quota for a minute",
        history=once(metric.LOG_THROTTLES, 500, healthy=BUSY),
        minutes=5,
    ),
    AlarmCase(
        alarm="LogQuotaAlarm",
        failure="mail volume grows to nine tenths of Firehose's quota",
        history=since_noon(BUSY, {metric.LOG_BYTES: every(1, 60 * 0.9 * MIB, first=NOON)}),
        minutes=5,
    ),
    AlarmCase(
        alarm="ReconcilerErrorsAlarm",
        failure="one comparison of log and table takes longer than a function may run",
        history=once(metric.RECONCILER_ERRORS),
        minutes=5,
    ),
    AlarmCase(
        alarm="LackingFactsAlarm",
        failure="EventBridge lost a complaint, which the reconciliation at noon found in the log",
        history=once(metric.LACKING),
        minutes=60,
    ),
    AlarmCase(
        alarm="BounceSurgeAlarm",
        failure="a provider rejected most of an hour's mail, which the reconciliation at noon found",
        history=once(metric.SURGES),
        minutes=60,
    ),
    AlarmCase(
        alarm="ProofAlarm",
        failure="two drills in a row found differences, or did not run",
        history=once(metric.PROVED_DAYS, 15),
        minutes=60,
    ),
    AlarmCase(
        alarm="SilenceAlarm",
        failure="one mail an hour is sent without a configuration set: SES counts it, and the log does not",
        history=stopped(QUIET, metric.LOGGED_SENDS, metric.LOGGED_BOUNCES),
        minutes=240,
    ),
    AlarmCase(
        alarm="BounceRateWarningAlarm",
        failure="a list with old addresses raises the bounce rate to 6 %",
        history=since_noon(QUIET, {metric.BOUNCE_RATE: every(60, 0.06, first=NOON)}),
        minutes=60,
    ),
    AlarmCase(
        alarm="BounceRatePageAlarm",
        failure="a list with old addresses raises the bounce rate to 11 %",
        history=since_noon(QUIET, {metric.BOUNCE_RATE: every(60, 0.11, first=NOON)}),
        minutes=60,
    ),
    AlarmCase(
        alarm="ComplaintRateWarningAlarm",
        failure="a campaign raises the complaint rate to 0.2 %",
        history=since_noon(QUIET, {metric.COMPLAINT_RATE: every(60, 0.002, first=NOON)}),
        minutes=60,
    ),
    AlarmCase(
        alarm="ComplaintRatePageAlarm",
        failure="a campaign raises the complaint rate to 0.6 %",
        history=since_noon(QUIET, {metric.COMPLAINT_RATE: every(60, 0.006, first=NOON)}),
        minutes=60,
    ),
)
