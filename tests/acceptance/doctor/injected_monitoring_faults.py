"""Faults that alarms and metrics show."""

from datetime import UTC, datetime, timedelta

from tests.acceptance.doctor.deployment_fixture import ALARM_QUEUE, DeploymentFixture
from tests.acceptance.doctor.fault_injection import Fault, Heal


def _alarm_active(fixture: DeploymentFixture) -> Heal:
    cloudwatch, name = fixture.client("cloudwatch"), f"{fixture['AlarmPrefix']}the projector fails"
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    return lambda: cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test")


def _alarm_actions_disabled(fixture: DeploymentFixture) -> None:
    fixture.client("cloudwatch").disable_alarm_actions(AlarmNames=[f"{fixture['AlarmPrefix']}the projector fails"])


def _alarms_without_subscriber(fixture: DeploymentFixture) -> Heal:
    sns, topic = fixture.client("sns"), fixture["AlarmTopicArn"]
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    return lambda: sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=ALARM_QUEUE)


def _put_metric(fixture: DeploymentFixture, namespace: str, metric: str, value: float, **dimensions: str) -> None:
    data = {
        "MetricName": metric,
        "Value": value,
        "Timestamp": datetime.now(UTC) - timedelta(hours=1),
        "Dimensions": [{"Name": name, "Value": value} for name, value in dimensions.items()],
    }
    fixture.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[data])


def _mail_without_events(fixture: DeploymentFixture) -> Heal:
    _put_metric(fixture, "AWS/SES", "Send", 5)
    return lambda: _put_metric(
        fixture, "AWS/Firehose", "IncomingRecords", 5, DeliveryStreamName=fixture["DeliveryStream"]
    )


def _bounces_without_events(fixture: DeploymentFixture) -> Heal:
    _put_metric(fixture, "AWS/SES", "Bounce", 5)
    return lambda: _put_metric(fixture, "AWS/Kinesis", "IncomingRecords", 5, StreamName=fixture["FeedbackStream"])


FAULTS = (
    Fault(finding="alarm_active", check="alarms", inject=_alarm_active),
    Fault(finding="alarm_actions_disabled", check="alarms", inject=_alarm_actions_disabled),
    Fault(finding="alarms_without_subscriber", check="alarms", inject=_alarms_without_subscriber),
    Fault(finding="mail_without_events", check="event flow", inject=_mail_without_events),
    Fault(finding="bounces_without_events", check="event flow", inject=_bounces_without_events),
)
