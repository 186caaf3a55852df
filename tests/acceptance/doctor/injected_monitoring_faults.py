"""What alarms and counts say of faults."""

from datetime import UTC, datetime, timedelta

from tests.acceptance.doctor.deployment_fixture import ALARM_QUEUE, Patient
from tests.acceptance.doctor.fault_injection import Mend, Plant


def _alarm_rings(patient: Patient) -> Mend:
    cloudwatch, name = patient.client("cloudwatch"), f"{patient['AlarmPrefix']}the projector fails"
    cloudwatch.set_alarm_state(AlarmName=name, StateValue="ALARM", StateReason="a test")
    return lambda: cloudwatch.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="a test")


def _alarm_switched_off(patient: Patient) -> None:
    patient.client("cloudwatch").disable_alarm_actions(AlarmNames=[f"{patient['AlarmPrefix']}the projector fails"])


def _alarms_unheard(patient: Patient) -> Mend:
    sns, topic = patient.client("sns"), patient["AlarmTopicArn"]
    [subscription] = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    sns.unsubscribe(SubscriptionArn=subscription["SubscriptionArn"])
    return lambda: sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=ALARM_QUEUE)


def _count(patient: Patient, namespace: str, metric: str, value: float, **of: str) -> None:
    dimensions = [{"Name": name, "Value": name_of} for name, name_of in of.items()]
    at = datetime.now(UTC) - timedelta(hours=1)
    data = {"MetricName": metric, "Value": value, "Timestamp": at, "Dimensions": dimensions}
    patient.client("cloudwatch").put_metric_data(Namespace=namespace, MetricData=[data])


def _mail_silent(patient: Patient) -> Mend:
    _count(patient, "AWS/SES", "Send", 5)
    return lambda: _count(patient, "AWS/Firehose", "IncomingRecords", 5, DeliveryStreamName=patient["DeliveryStream"])


def _feedback_silent(patient: Patient) -> Mend:
    _count(patient, "AWS/SES", "Bounce", 5)
    return lambda: _count(patient, "AWS/Kinesis", "IncomingRecords", 5, StreamName=patient["FeedbackStream"])


PLANTS = (
    Plant(finding="alarm_rings", link="alarms", by=_alarm_rings),
    Plant(finding="alarm_switched_off", link="alarms", by=_alarm_switched_off),
    Plant(finding="alarms_unheard", link="alarms", by=_alarms_unheard),
    Plant(finding="mail_silent", link="silence", by=_mail_silent),
    Plant(finding="feedback_silent", link="silence", by=_feedback_silent),
)
