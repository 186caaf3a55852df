"""Alarms: the metrics that they watch, and descriptions that say what to do."""

import re
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.aws.settings import NAMESPACE
from tests.infra.conftest import Metric
from tests.support.cloudformation import CONSUMERS, REGION, TOPIC, consumed_by, stack, template

LAMBDA = {
    name: alarm
    for route in ("direct", "queue")
    for name, alarm in stack(NotificationTopic=TOPIC, NotificationRoute=route).of_type("AWS::CloudWatch::Alarm").items()
}
LATE = {consumer: consumed_by(consumer).properties("FeedbackLateAlarm") for consumer in CONSUMERS}
EVERY = LAMBDA | {f"FeedbackLateAlarm, {consumer}": alarm for consumer, alarm in LATE.items() if consumer != "lambda"}
LONGEST_DESCRIPTION = 1_024  # docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricAlarm.html
KEY = f"arn:aws:kms:{REGION}:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab"

WATCHED = {
    ("AWS/Lambda", "IteratorAge"),  # the table is behind the stream
    (NAMESPACE, "MillisBehindLatest"),
    ("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds"),
    ("AWS/Lambda", "OnFailureDestinationDeliveredEventCount"),  # the mapping discarded a batch
    ("AWS/Lambda", "DestinationDeliveryFailures"),
    ("AWS/Lambda", "AsyncEventsDropped"),
    ("AWS/Lambda", "Errors"),
    ("AWS/Lambda", "Throttles"),
    ("AWS/Kinesis", "WriteProvisionedThroughputExceeded"),
    ("AWS/Firehose", "DeliveryToS3.DataFreshness"),
    ("AWS/Firehose", "FailedConversion.Records"),  # objects under errors/
    ("AWS/Firehose", "ThrottledRecords"),
    ("AWS/Events", "InvocationsFailedToBeSentToDlq"),
    ("AWS/SQS", "ApproximateNumberOfMessagesVisible"),  # dead letters
    ("AWS/SQS", "ApproximateAgeOfOldestMessage"),  # notifications are late
    ("AWS/SES", "Reputation.BounceRate"),
    ("AWS/SES", "Reputation.ComplaintRate"),
    ("AWS/SES", "Send"),  # silence
    (NAMESPACE, "SendEvents"),
    (NAMESPACE, "Failed"),  # objects under errors/
    (NAMESPACE, "Quarantined"),
    (NAMESPACE, "InternalErrors"),
    (NAMESPACE, "Unfinished"),
}


def metrics(alarm: Any) -> list[dict[str, Any]]:
    """Return the metrics that an alarm watches."""
    return [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", ()) if "MetricStat" in query] or [alarm]


def metric_name(metric: Any) -> tuple[str, str]:
    """Return namespace and name of a metric."""
    return metric["Namespace"], metric["MetricName"]


def own_metric(metric: Any) -> Metric:
    """Return namespace, name and service of a metric of Mailfold."""
    (dimension,) = metric["Dimensions"]
    assert dimension["Name"] == "service"
    return (*metric_name(metric), dimension["Value"])


@pytest.mark.parametrize("name", EVERY)
def test_a_description_has_a_meaning_and_a_remedy(name: str) -> None:
    """Both parts are sentences of some length, and the whole fits into CloudWatch's limit."""
    meaning, _, remedy = EVERY[name]["AlarmDescription"].partition(" Do: ")
    assert len(meaning.split()) >= 10
    assert len(remedy.split()) >= 10
    assert meaning.endswith(".")
    assert remedy.endswith(".")
    assert len(EVERY[name]["AlarmDescription"]) <= LONGEST_DESCRIPTION // 2  # actual names are longer than logical ids


@pytest.mark.parametrize("name", EVERY)
def test_an_alarm_notifies_the_topic_at_start_and_end(name: str) -> None:
    """Alarm and OK actions are the one topic."""
    assert EVERY[name]["AlarmActions"] == EVERY[name]["OKActions"] == ["{AlarmTopic}"]


@pytest.mark.parametrize("name", EVERY)
def test_missing_data_is_treated_explicitly(name: str) -> None:
    """Lambda publishes when it is called. Any other consumer publishes once a minute, so its silence is an alarm."""
    expected = "ignore" if "Reputation" in EVERY[name].get("MetricName", "") else "notBreaching"
    if name.startswith("FeedbackLateAlarm,"):
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


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_both_functions_are_watched(metric: str) -> None:
    """Errors and throttles have an alarm for each function."""
    functions = [alarm["Dimensions"] for alarm in LAMBDA.values() if alarm.get("MetricName") == metric]
    assert sorted(dimension["Value"] for (dimension,) in functions) == ["{Projector}", "{Transform}"]


def test_own_metrics_of_alarms_are_published(published: set[Metric]) -> None:
    """Functions and consumer publish every metric of Mailfold's namespace that is watched."""
    watched = {
        own_metric(metric) for alarm in EVERY.values() for metric in metrics(alarm) if metric["Namespace"] == NAMESPACE
    }
    assert watched <= published


@pytest.mark.parametrize(
    "name", [name for name in EVERY if metric_name(metrics(EVERY[name])[0])[0] not in {NAMESPACE, "AWS/SES"}]
)
def test_an_alarm_watches_a_resource_of_this_stack(name: str) -> None:
    """The dimension of every metric of AWS is a resource in the template."""
    for metric in metrics(EVERY[name]):
        (dimension,) = metric["Dimensions"]
        assert dimension["Value"].strip("{}").split(".")[0] in template()["Resources"]


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
    ("consumer", "metric", "of"),
    [
        ("lambda", ("AWS/Lambda", "IteratorAge"), {"Name": "FunctionName", "Value": "{Projector}"}),
        ("container", (NAMESPACE, "MillisBehindLatest"), {"Name": "service", "Value": "mail-fold-projector"}),
        (
            "elsewhere",
            ("AWS/Kinesis", "GetRecords.IteratorAgeMilliseconds"),
            {"Name": "StreamName", "Value": "{FeedbackStream}"},
        ),
    ],
)
def test_every_consumer_is_watched_for_lag(consumer: str, metric: tuple[str, str], of: dict[str, str]) -> None:
    """The metric of the lag depends on the consumer, and the alarm's name does not."""
    assert metric_name(LATE[consumer]) == metric
    assert LATE[consumer]["Dimensions"] == [of]
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


def test_the_queue_alarm_is_between_a_second_try_and_the_last() -> None:
    """The threshold is above two visibility timeouts, and less than a tenth of the retry time."""
    queue = stack(NotificationTopic=TOPIC).properties("NotificationQueue")
    tried_seconds = queue["RedrivePolicy"]["maxReceiveCount"] * queue["VisibilityTimeout"]
    assert 2 * queue["VisibilityTimeout"] < EVERY["NotificationsLateAlarm"]["Threshold"] < tried_seconds / 10


def test_the_log_alarm_is_after_the_longest_buffer() -> None:
    """The threshold is above twice the longest buffer, and below the 24 hours after which Firehose loses records."""
    longest_seconds = template()["Parameters"]["LogBufferSeconds"]["MaxValue"]
    assert 2 * longest_seconds < EVERY["LogLateAlarm"]["Threshold"] < 24 * 3_600  # after which Firehose loses it


def test_silence_is_two_hours_of_mail_without_events() -> None:
    """The expression compares SES's sends with the log's events, without FILL."""
    alarm = EVERY["SilenceAlarm"]
    expression, *watched = alarm["Metrics"]

    assert expression["Expression"] == "IF(sent >= 1 AND SUM(METRICS()) == sent, 1, 0)"
    assert [query["Id"] for query in watched] == ["sent", "arrived"]
    assert [metric_name(query["MetricStat"]["Metric"]) for query in watched] == [
        ("AWS/SES", "Send"),
        (NAMESPACE, "SendEvents"),
    ]
    assert {query["MetricStat"]["Period"] * alarm["EvaluationPeriods"] for query in watched} == {2 * 3_600}


def test_the_silence_alarm_can_be_disabled() -> None:
    """SilenceMails is the threshold, and 0 removes the alarm."""
    assert "SilenceAlarm" not in stack(SilenceMails="0").resources
    assert "sent >= 500 " in stack(SilenceMails="500").properties("SilenceAlarm")["Metrics"][0]["Expression"]


def test_only_the_silence_alarm_uses_metric_math() -> None:
    """Emulators do not support metric math, so tests can deploy the template without this one alarm."""
    assert [name for name, alarm in EVERY.items() if "Metrics" in alarm] == ["SilenceAlarm"]


def test_the_topic_has_no_aws_managed_key() -> None:
    """CloudWatch cannot use the AWS-managed key, so the parameter accepts only a customer-managed one."""
    allowed = template()["Parameters"]["AlarmTopicKey"]["AllowedPattern"]
    assert "KmsMasterKeyId" not in stack().properties("AlarmTopic")
    assert stack(AlarmTopicKey=KEY).properties("AlarmTopic") == {"KmsMasterKeyId": KEY}
    assert re.fullmatch(allowed, KEY)
    assert not re.fullmatch(allowed, "alias/aws/sns")
    assert not re.fullmatch(allowed, f"arn:aws:kms:{REGION}:123456789012:alias/aws/sns")


def test_an_address_is_subscribed_if_given() -> None:
    """Without an address there is no subscription."""
    assert "AlarmSubscription" not in stack().resources
    assert stack(AlarmEmail="ops@example.com").properties("AlarmSubscription") == {
        "TopicArn": "{AlarmTopic}",
        "Protocol": "email",
        "Endpoint": "ops@example.com",
    }


def test_views_named_by_alarms_exist() -> None:
    """Every view in a description is a file in schemas/views."""
    folder = Path(pipeline.__file__).parents[1] / "schemas" / "views"
    views = {view for alarm in EVERY.values() for view in re.findall(r"\b[a-z]+_[a-z]+\b", alarm["AlarmDescription"])}
    assert {"daily_rates", "domain_counts", "tag_counts"} <= views <= {path.stem for path in folder.glob("*.sql")}
