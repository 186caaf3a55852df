"""Alarms: the metrics that they watch, and descriptions that say what to do."""

import re
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.aws.settings import NAMESPACE
from pipeline.leftover import Place
from tests.infra.conftest import Metric
from tests.support.alarm_state import queries
from tests.support.cloudformation import CONSUMERS, REGION, TOPIC, consumed_by, stack, template
from tests.support.metric_history import Metric as CloudWatchMetric
from tests.support.metric_history import a_metric

LAMBDA = {
    name: alarm
    for route in ("direct", "queue")
    for name, alarm in stack(NotificationTopic=TOPIC, NotificationRoute=route).of_type("AWS::CloudWatch::Alarm").items()
}
LATE = {consumer: consumed_by(consumer).properties("FeedbackLateAlarm") for consumer in CONSUMERS}
EVERY = (
    LAMBDA
    | {f"FeedbackLateAlarm, {consumer}": alarm for consumer, alarm in LATE.items() if consumer != "lambda"}
    | {"DriftAlarm, elsewhere": consumed_by("elsewhere").properties("DriftAlarm")}
)
ACTIONS = ("AlarmActions", "OKActions")
LONGEST_DESCRIPTION = 1_024  # docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
KEY = f"arn:aws:kms:{REGION}:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

WATCHED = {
    ("AWS/Lambda", "IteratorAge"),  # the table is behind the stream
    (NAMESPACE, "MillisBehindLatest"),
    ("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds"),
    ("AWS/Lambda", "PolledEventCount"),  # nothing reads the stream
    ("AWS/Lambda", "OnFailureDestinationDeliveredEventCount"),  # the mapping discarded a batch
    ("AWS/Lambda", "DestinationDeliveryFailures"),
    ("AWS/Lambda", "AsyncEventsDropped"),
    ("AWS/Lambda", "Errors"),
    ("AWS/Lambda", "Throttles"),
    ("AWS/Kinesis", "WriteProvisionedThroughputExceeded"),
    ("AWS/Firehose", "DeliveryToS3.DataFreshness"),
    ("AWS/Firehose", "FailedConversion.Records"),  # objects under errors/
    ("AWS/Firehose", "ExecuteProcessing.Success"),  # Firehose cannot call the transform
    ("AWS/Firehose", "ThrottledRecords"),
    ("AWS/Firehose", "IncomingBytes"),  # close to the quota
    ("AWS/Firehose", "BytesPerSecondLimit"),
    ("AWS/Events", "InvocationsFailedToBeSentToDlq"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),  # dead letters
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"),  # notifications are late
    ("AWS/SES", "Reputation.BounceRate"),
    ("AWS/SES", "Reputation.ComplaintRate"),
    ("AWS/SES", "Send"),  # silence
    (NAMESPACE, "SendEvents"),
    (NAMESPACE, "BounceEvents"),  # drift
    ("AWS/Kinesis", "IncomingRecords"),
    (NAMESPACE, "Failed"),  # objects under errors/
    (NAMESPACE, "Quarantined"),
    (NAMESPACE, "InternalErrors"),
    (NAMESPACE, "Unfinished"),
    (NAMESPACE, "LackingItems"),  # the daily reconciliation and the weekly drill
    (NAMESPACE, "BounceSurges"),
    (NAMESPACE, "DaysSinceProved"),
}
RECONCILER = ("LackingFactsAlarm", "BounceSurgeAlarm", "ProofAlarm")


def metrics(alarm: Any) -> list[CloudWatchMetric]:
    """Return the metrics that an alarm watches."""
    return [query.metric for query in queries(alarm).values()]


def metric_name(metric: CloudWatchMetric) -> tuple[str, str]:
    """Return namespace and name of a metric."""
    return metric.namespace, metric.name


def own_metric(metric: CloudWatchMetric) -> Metric:
    """Return namespace, name and service of a metric of Mailfold."""
    ((dimension, service),) = metric.dimensions
    assert dimension == "service"
    return (*metric_name(metric), service)


@pytest.mark.parametrize("name", EVERY)
def test_a_description_has_a_meaning_and_a_remedy(name: str) -> None:
    """Both parts are sentences of some length, and the whole fits into CloudWatch's limit."""
    meaning, _, remedy = EVERY[name]["AlarmDescription"].partition(" Do: ")
    assert len(meaning.split()) >= 10
    assert len(remedy.split()) >= 10
    assert meaning.endswith(".")
    assert remedy.endswith(".")
    assert len(EVERY[name]["AlarmDescription"]) <= LONGEST_DESCRIPTION // 2  # actual names are longer than logical ids


def test_a_redrive_is_named_with_the_place_that_the_alarm_reports() -> None:
    """Each alarm about records that were set aside has the command that returns them, and every place has an alarm."""
    remedies = {
        name: match[1]
        for name, alarm in EVERY.items()
        if (match := re.search(r"mailfold quarantine redrive --all --place ([a-z-]+)", alarm["AlarmDescription"]))
    }
    assert remedies == {
        "FaultAlarm": "quarantine",
        "FeedbackGivenUpAlarm": "lambda",
        "NotificationDeadLettersAlarm": "notification-queue",
        "NotificationsGivenUpAlarm": "lambda",
        "QuarantineAlarm": "quarantine",
        "RuleDeadLettersAlarm": "rule-queue",
        "TransformErrorsAlarm": "firehose",
        "TransformThrottlesAlarm": "firehose",
        "TransformUncalledAlarm": "firehose",
        "UnconvertedAlarm": "firehose",
        "UntransformedAlarm": "firehose",
    }
    assert set(remedies.values()) == set(Place)


@pytest.mark.parametrize("name", EVERY)
def test_an_alarm_notifies_the_topic_at_start_and_end(name: str) -> None:
    """Alarm and OK actions are the one topic."""
    assert EVERY[name]["AlarmActions"] == EVERY[name]["OKActions"] == ["{StackAlarmTopic}"]


@pytest.mark.parametrize("name", EVERY)
def test_missing_data_is_treated_explicitly(name: str) -> None:
    """A missing poll is an alarm. Daily values, and AWS's rates, keep the state until the next."""
    expected = "ignore" if "Reputation" in EVERY[name].get("MetricName", "") else "notBreaching"
    if name in RECONCILER:
        expected = "ignore"
    if name.startswith(("FeedbackLateAlarm,", "FeedbackUnreadAlarm")):
        expected = "breaching"
    assert EVERY[name]["TreatMissingData"] == expected


def test_alarm_names_are_unique_and_start_with_the_stack() -> None:
    """The output AlarmPrefix selects the stack's alarms, and no other stack's."""
    names = [alarm["AlarmName"] for alarm in LAMBDA.values()]
    assert len(set(names)) == len(names)
    assert all(name.startswith("mail-fold ") for name in names)
    assert stack().outputs["AlarmPrefix"]["Value"] == "mail-fold "  # the space tells it from the stack mail-folder


def test_all_watched_metrics_are_known() -> None:
    """The alarms together watch exactly the listed metrics."""
    assert {metric_name(metric) for alarm in EVERY.values() for metric in metrics(alarm)} == WATCHED


@pytest.mark.parametrize(
    ("metric", "expected"),
    [("Errors", ["{Projector}", "{Reconciler}", "{Transform}"]), ("Throttles", ["{Projector}", "{Transform}"])],
)
def test_all_functions_are_watched(metric: str, expected: list[str]) -> None:
    """Errors have an alarm for each function, throttles for those that mail waits for. The reconciler is repeated."""
    functions = [alarm["Dimensions"] for alarm in LAMBDA.values() if alarm.get("MetricName") == metric]
    assert sorted(dimension["Value"] for (dimension,) in functions) == expected


def test_own_metrics_of_alarms_are_published(published: set[Metric]) -> None:
    """Functions and consumer publish every metric of Mailfold's namespace that is watched."""
    watched = {
        own_metric(metric) for alarm in EVERY.values() for metric in metrics(alarm) if metric.namespace == NAMESPACE
    }
    assert watched <= published


@pytest.mark.parametrize("name", EVERY)
def test_an_alarm_watches_resources_of_this_stack(name: str) -> None:
    """The dimension of every metric of AWS is a resource in the template. SES's metrics are the account's."""
    for metric in metrics(EVERY[name]):
        if metric.namespace not in {NAMESPACE, "AWS/SES"}:
            ((_, value),) = metric.dimensions
            assert value.strip("{}").split(".")[0] in template()["Resources"]


@pytest.mark.parametrize(
    ("metric", "thresholds"),
    [("Reputation.BounceRate", [0.05, 0.10]), ("Reputation.ComplaintRate", [0.001, 0.005])],
)
def test_rate_thresholds_are_those_of_aws(metric: str, thresholds: list[float]) -> None:
    """Each rate has a warning and an urgent alarm at AWS's thresholds, for the whole account."""
    alarms = [alarm for alarm in LAMBDA.values() if alarm.get("MetricName") == metric]
    assert sorted(alarm["Threshold"] for alarm in alarms) == thresholds
    assert all("Dimensions" not in alarm for alarm in alarms)  # of the account, which AWS reviews
    assert ["URGENT" in alarm["AlarmName"] for alarm in sorted(alarms, key=lambda alarm: alarm["Threshold"])] == [
        False,
        True,
    ]


@pytest.mark.parametrize(
    ("consumer", "metric"),
    [
        ("lambda", a_metric("AWS/Lambda", "IteratorAge", FunctionName="{Projector}")),
        ("container", a_metric(NAMESPACE, "MillisBehindLatest", service="mail-fold-projector")),
        ("elsewhere", a_metric("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds", StreamName="{FeedbackStream}")),
    ],
)
def test_every_consumer_is_watched_for_lag(consumer: str, metric: CloudWatchMetric) -> None:
    """The metric of the lag depends on the consumer, and the alarm's name does not."""
    assert metrics(LATE[consumer]) == [metric]
    assert LATE[consumer]["AlarmName"] == LATE["lambda"]["AlarmName"]  # so that an update changes it in place


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_discarded_batches_are_watched_only_with_lambda(consumer: str) -> None:
    """The alarms on discarded batches exist only if Lambda can discard some."""
    always = set(consumed_by(consumer).resources)
    with_topic = set(consumed_by(consumer, NotificationTopic=TOPIC, NotificationRoute="direct").resources)
    assert ("FeedbackGivenUpAlarm" in always) == (consumer == "lambda")
    assert ("FeedbackLostAlarm" in always) == (consumer == "lambda")
    assert "FeedbackLostAlarm" in with_topic  # asynchronous calls of SNS have the same destination


def test_the_lag_alarm_is_long_before_a_batch_is_discarded() -> None:
    """The threshold is a quarter of an hour, and less than a tenth of the shortest retry time."""
    late_ms = EVERY["FeedbackLateAlarm"]["Threshold"]
    tried_seconds = [retention["TriedSeconds"] for retention in template()["Mappings"]["StreamRetention"].values()]
    assert late_ms == 15 * 60 * 1_000
    assert late_ms / 1_000 < min(tried_seconds) / 10


def test_the_queue_alarm_is_between_the_second_try_and_the_third() -> None:
    """SQS leaves a message out of the age with its third try. A message that succeeds in the second one is younger."""
    created = stack(NotificationTopic=TOPIC)
    visible_after = created.properties("NotificationQueue")["VisibilityTimeout"]
    second_try_ends = visible_after + created.properties("Projector")["Timeout"]
    assert second_try_ends < EVERY["NotificationsLateAlarm"]["Threshold"] < 2 * visible_after


def test_the_log_alarm_is_after_the_longest_buffer() -> None:
    """The threshold is above twice the longest buffer, and below the 24 hours after which Firehose loses records."""
    longest_seconds = template()["Parameters"]["LogBufferSeconds"]["MaxValue"]
    assert 2 * longest_seconds < EVERY["LogLateAlarm"]["Threshold"] < 24 * 3_600  # after which Firehose loses it


@pytest.mark.parametrize(
    ("parameter", "alarm", "expression"),
    [
        ("SilenceMails", "SilenceAlarm", "IF(sent >= 50 AND SUM(METRICS()) == sent, 1, 0)"),
        ("DriftBounces", "DriftAlarm", "IF(logged >= 50 AND SUM(METRICS()) == logged, 1, 0)"),
        ("LogQuotaPercent", "LogQuotaAlarm", "100 * incoming / PERIOD(incoming) / quota"),
    ],
)
def test_a_parameter_is_the_threshold_and_0_removes_the_alarm(parameter: str, alarm: str, expression: str) -> None:
    """FILL returns nothing for a metric without data, so the expressions compare sums."""
    assert alarm not in stack(**{parameter: "0"}).resources
    properties = stack(**{parameter: "50"}).properties(alarm)
    assert properties["Metrics"][0]["Expression"] == expression
    assert "50" in f"{expression} {properties['Threshold']}"


def test_alarms_with_metric_math_can_be_disabled() -> None:
    """Emulators do not support metric math, so tests deploy the template without these alarms."""
    assert {name for name, alarm in LAMBDA.items() if "Metrics" in alarm} == {
        "DriftAlarm",
        "LogQuotaAlarm",
        "SilenceAlarm",
    }


def test_the_topic_has_no_aws_managed_key() -> None:
    """CloudWatch cannot use the AWS-managed key, so the parameter accepts only a customer-managed one."""
    allowed = template()["Parameters"]["AlarmTopicKey"]["AllowedPattern"]
    assert "KmsMasterKeyId" not in stack().properties("StackAlarmTopic")
    assert stack(AlarmTopicKey=KEY).properties("StackAlarmTopic") == {"KmsMasterKeyId": KEY}
    assert re.fullmatch(allowed, KEY)
    assert not re.fullmatch(allowed, "alias/aws/sns")
    assert not re.fullmatch(allowed, f"arn:aws:kms:{REGION}:123456789012:alias/aws/sns")


def test_an_existing_topic_replaces_that_of_the_stack() -> None:
    """Alarms, subscription and output use it, and the stack creates none."""
    created = stack(AlarmTopic=TOPIC, AlarmEmail="ops@example.com")
    assert created.of_type("AWS::SNS::Topic") == {}
    assert created.properties("AlarmSubscription")["TopicArn"] == TOPIC
    assert created.outputs["AlarmTopicArn"]["Value"] == TOPIC
    actions = [alarm[key] for alarm in created.of_type("AWS::CloudWatch::Alarm").values() for key in ACTIONS]
    assert all(action == [TOPIC] for action in actions)


def test_an_address_is_subscribed_if_given() -> None:
    """Without an address there is no subscription."""
    assert "AlarmSubscription" not in stack().resources
    assert stack(AlarmEmail="ops@example.com").properties("AlarmSubscription") == {
        "TopicArn": "{StackAlarmTopic}",
        "Protocol": "email",
        "Endpoint": "ops@example.com",
    }


def test_views_named_by_alarms_exist() -> None:
    """Every view in a description is a file in schemas/views."""
    folder = Path(pipeline.__file__).parents[1] / "schemas" / "views"
    views = {view for alarm in EVERY.values() for view in re.findall(r"\b[a-z]+_[a-z]+\b", alarm["AlarmDescription"])}
    assert {"daily_rates", "domain_counts", "tag_counts"} <= views <= {path.stem for path in folder.glob("*.sql")}
