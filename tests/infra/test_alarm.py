"""Alarms: the metrics that they watch, and descriptions that say what to do."""

import re
from pathlib import Path
from typing import Any

import pytest

import pipeline
from pipeline.aws.metrics import NAMESPACE
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
    (NAMESPACE, "Faults"),
    (NAMESPACE, "Unfinished"),
}


def metrics(alarm: Any) -> list[dict[str, Any]]:
    """Return the metrics that an alarm watches."""
    return [query["MetricStat"]["Metric"] for query in alarm.get("Metrics", ()) if "MetricStat" in query] or [alarm]


def metric_name(metric: Any) -> tuple[str, str]:
    return metric["Namespace"], metric["MetricName"]


def own_metric(metric: Any) -> Metric:
    (dimension,) = metric["Dimensions"]
    assert dimension["Name"] == "service"
    return (*metric_name(metric), dimension["Value"])


@pytest.mark.parametrize("name", EVERY)
def test_an_alarm_says_what_it_means_and_then_what_to_do(name: str) -> None:
    meaning, _, remedy = EVERY[name]["AlarmDescription"].partition(" Do: ")
    assert len(meaning.split()) >= 10
    assert len(remedy.split()) >= 10
    assert meaning.endswith(".")
    assert remedy.endswith(".")
    assert len(EVERY[name]["AlarmDescription"]) <= LONGEST_DESCRIPTION // 2  # actual names are longer than logical ids


@pytest.mark.parametrize("name", EVERY)
def test_an_alarm_tells_the_one_topic_when_it_begins_and_when_it_ends(name: str) -> None:
    assert EVERY[name]["AlarmActions"] == EVERY[name]["OKActions"] == ["{AlarmTopic}"]


@pytest.mark.parametrize("name", EVERY)
def test_an_alarm_says_how_it_takes_silence(name: str) -> None:
    """Lambda publishes when it is called; any other consumer once a minute, so that its silence rings."""
    expected = "ignore" if "Reputation" in EVERY[name].get("MetricName", "") else "notBreaching"
    if name.startswith("FeedbackLateAlarm,"):
        expected = "breaching"
    assert EVERY[name]["TreatMissingData"] == expected


def test_alarms_have_names_of_their_own_that_begin_with_the_stacks() -> None:
    names = [alarm["AlarmName"] for alarm in LAMBDA.values()]
    assert len(set(names)) == len(names)
    assert all(name.startswith("mail-fold ") for name in names)
    assert stack().outputs["AlarmPrefix"]["Value"] == "mail-fold "  # the space tells it from the stack mail-folder


def test_every_link_has_its_alarm() -> None:
    assert {metric_name(metric) for alarm in EVERY.values() for metric in metrics(alarm)} == WATCHED


@pytest.mark.parametrize("metric", ["Errors", "Throttles"])
def test_both_functions_are_watched(metric: str) -> None:
    functions = [alarm["Dimensions"] for alarm in LAMBDA.values() if alarm.get("MetricName") == metric]
    assert sorted(dimension["Value"] for (dimension,) in functions) == ["{Projector}", "{Transform}"]


def test_the_counts_that_alarms_watch_are_ones_that_the_functions_publish(published: set[Metric]) -> None:
    watched = {
        own_metric(metric) for alarm in EVERY.values() for metric in metrics(alarm) if metric["Namespace"] == NAMESPACE
    }
    assert watched <= published


@pytest.mark.parametrize(
    "name", [name for name in EVERY if metric_name(metrics(EVERY[name])[0])[0] not in {NAMESPACE, "AWS/SES"}]
)
def test_an_alarm_watches_something_of_this_stack(name: str) -> None:
    for metric in metrics(EVERY[name]):
        (dimension,) = metric["Dimensions"]
        assert dimension["Value"].strip("{}").split(".")[0] in template()["Resources"]


@pytest.mark.parametrize(
    ("metric", "thresholds"),
    [("Reputation.BounceRate", [0.05, 0.10]), ("Reputation.ComplaintRate", [0.001, 0.005])],
)
def test_rates_are_those_that_aws_judges_by_warned_of_and_paged_for(metric: str, thresholds: list[float]) -> None:
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
def test_whoever_reads_the_stream_is_watched_for_lateness(
    consumer: str, metric: tuple[str, str], of: dict[str, str]
) -> None:
    assert metric_name(LATE[consumer]) == metric
    assert LATE[consumer]["Dimensions"] == [of]
    assert LATE[consumer]["AlarmName"] == LATE["lambda"]["AlarmName"]  # so that an update changes it in place


@pytest.mark.parametrize("consumer", CONSUMERS)
def test_what_lambda_gives_up_is_watched_only_where_lambda_can(consumer: str) -> None:
    always = set(consumed_by(consumer).resources)
    with_topic = set(consumed_by(consumer, NotificationTopic=TOPIC, NotificationRoute="direct").resources)
    assert ("FeedbackGivenUpAlarm" in always) == (consumer == "lambda")
    assert ("FeedbackLostAlarm" in always) == (consumer == "lambda")
    assert "FeedbackLostAlarm" in with_topic  # asynchronous calls of SNS have the same destination


def test_the_table_is_called_late_long_before_anything_is_given_up() -> None:
    late_ms = EVERY["FeedbackLateAlarm"]["Threshold"]
    tried_seconds = [retention["TriedSeconds"] for retention in template()["Mappings"]["StreamRetention"].values()]
    assert late_ms == 15 * 60 * 1_000
    assert late_ms / 1_000 < min(tried_seconds) / 10


def test_a_queue_is_called_late_when_a_second_try_has_failed_and_long_before_anything_is_given_up() -> None:
    queue = stack(NotificationTopic=TOPIC).properties("NotificationQueue")
    tried_seconds = queue["RedrivePolicy"]["maxReceiveCount"] * queue["VisibilityTimeout"]
    assert 2 * queue["VisibilityTimeout"] < EVERY["NotificationsLateAlarm"]["Threshold"] < tried_seconds / 10


def test_the_log_is_called_late_when_its_longest_buffer_is_long_over() -> None:
    longest_seconds = template()["Parameters"]["LogBufferSeconds"]["MaxValue"]
    assert 2 * longest_seconds < EVERY["LogLateAlarm"]["Threshold"] < 24 * 3_600  # after which Firehose loses it


def test_silence_is_mail_sent_without_an_event_for_two_hours() -> None:
    alarm = EVERY["SilenceAlarm"]
    expression, *watched = alarm["Metrics"]

    assert expression["Expression"] == "IF(sent >= 1 AND SUM(METRICS()) == sent, 1, 0)"
    assert [query["Id"] for query in watched] == ["sent", "arrived"]
    assert [metric_name(query["MetricStat"]["Metric"]) for query in watched] == [
        ("AWS/SES", "Send"),
        (NAMESPACE, "SendEvents"),
    ]
    assert {query["MetricStat"]["Period"] * alarm["EvaluationPeriods"] for query in watched} == {2 * 3_600}


def test_silence_is_no_alarm_if_nobody_wants_it() -> None:
    assert "SilenceAlarm" not in stack(SilenceMails="0").resources
    assert "sent >= 500 " in stack(SilenceMails="500").properties("SilenceAlarm")["Metrics"][0]["Expression"]


def test_only_silence_is_reckoned_from_several_metrics() -> None:
    assert [name for name, alarm in EVERY.items() if "Metrics" in alarm] == ["SilenceAlarm"]


def test_the_topic_is_never_under_a_key_that_cloudwatch_cannot_use() -> None:
    allowed = template()["Parameters"]["AlarmTopicKey"]["AllowedPattern"]
    assert "KmsMasterKeyId" not in stack().properties("AlarmTopic")
    assert stack(AlarmTopicKey=KEY).properties("AlarmTopic") == {"KmsMasterKeyId": KEY}
    assert re.fullmatch(allowed, KEY)
    assert not re.fullmatch(allowed, "alias/aws/sns")
    assert not re.fullmatch(allowed, f"arn:aws:kms:{REGION}:123456789012:alias/aws/sns")


def test_an_address_gets_the_alarms_if_one_is_given() -> None:
    assert "AlarmSubscription" not in stack().resources
    assert stack(AlarmEmail="ops@example.com").properties("AlarmSubscription") == {
        "TopicArn": "{AlarmTopic}",
        "Protocol": "email",
        "Endpoint": "ops@example.com",
    }


def test_the_views_that_alarms_point_to_are_there() -> None:
    folder = Path(pipeline.__file__).parents[1] / "schemas" / "views"
    views = {view for alarm in EVERY.values() for view in re.findall(r"\b[a-z]+_[a-z]+\b", alarm["AlarmDescription"])}
    assert {"daily_rates", "domain_counts", "tag_counts"} <= views <= {path.stem for path in folder.glob("*.sql")}
