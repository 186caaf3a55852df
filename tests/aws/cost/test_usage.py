"""The calculated usage matches the template: its alarms, buffers, defaults and allowed values."""

from collections import Counter

from aws_lambda_powertools.metrics import EphemeralMetrics

from pipeline.aws.cost import usage
from pipeline.aws.cost.workload import ConsumerMode, StreamMode, Workload
from pipeline.aws.kcl.configuration import FAILOVER_MILLIS
from pipeline.aws.metrics import count, count_events, count_projected
from pipeline.aws.settings import NAMESPACE
from pipeline.batch import Counts
from pipeline.cli.cost import RetentionDays
from pipeline.event import EventKind
from pipeline.projection import BatchResult
from tests.support.cloudformation import Stack, consumed_by, defaults, stack, template

# Types that AWS charges for, which the estimate includes, and types that are free.
CHARGED = {
    *("AWS::CloudWatch::Alarm", "AWS::CloudWatch::Dashboard", "AWS::DynamoDB::Table", "AWS::Events::Rule"),
    *("AWS::Kinesis::Stream", "AWS::KinesisFirehose::DeliveryStream", "AWS::Lambda::EventSourceMapping"),
    *("AWS::Lambda::Function", "AWS::Logs::LogGroup", "AWS::S3::Bucket", "AWS::Athena::WorkGroup"),
}
FREE = {
    *("AWS::Glue::Database", "AWS::Glue::Table", "AWS::IAM::ManagedPolicy", "AWS::IAM::Role", "AWS::Logs::LogStream"),
    *("AWS::S3::BucketPolicy", "AWS::SES::ConfigurationSet", "AWS::SES::ConfigurationSetEventDestination"),
    *("AWS::SNS::Topic", "AWS::SQS::QueuePolicy", "AWS::Lambda::Permission"),
    "AWS::SQS::Queue",  # dead-letter queues, which are usually empty
}
INSTEAD_OF_THE_MAPPING = {
    "AWS::ECS::TaskDefinition",  # included
    *("AWS::EC2::SecurityGroup", "AWS::ECS::Cluster", "AWS::ECS::Service"),  # free
}
OWN_TYPES = {EventKind.DECISION, EventKind.EVIDENCE, EventKind.UNKNOWN}
SES_TYPES = {kind.value: 1 for kind in EventKind if kind not in OWN_TYPES}


def processors() -> dict[str, str]:
    """Return the parameters of Firehose's processor."""
    [stream] = stack().of_type("AWS::KinesisFirehose::DeliveryStream").values()
    [processor] = stream["ExtendedS3DestinationConfiguration"]["ProcessingConfiguration"]["Processors"]
    return {parameter["ParameterName"]: parameter["ParameterValue"] for parameter in processor["Parameters"]}


def test_every_resource_type_is_included_or_free() -> None:
    """A new resource type in the template needs a decision about its cost."""
    assert {resource["Type"] for resource in stack().resources.values()} == CHARGED | FREE
    kinds = {resource["Type"] for resource in consumed_by("container").resources.values()}
    assert kinds == (CHARGED | FREE | INSTEAD_OF_THE_MAPPING) - {"AWS::Lambda::EventSourceMapping"}


def test_the_number_of_charged_resources_is_known() -> None:
    """The estimate assumes one resource of most charged types, three functions, and three rules, which are free."""
    kinds = Counter(resource["Type"] for resource in stack().resources.values())
    single = CHARGED - {"AWS::CloudWatch::Alarm", "AWS::Lambda::Function", "AWS::Logs::LogGroup", "AWS::Events::Rule"}
    assert {kind: kinds[kind] for kind in single} == dict.fromkeys(single, 1)
    assert kinds["AWS::Lambda::Function"] == 3
    assert kinds["AWS::Events::Rule"] == 3  # one delivers feedback, two call the reconciler


def test_alarms_are_counted_by_their_metrics() -> None:
    """AWS bills an alarm by its metrics, and alarms of high resolution cost more."""
    assert alarm_metrics(stack()) == usage.ALARM_METRICS
    for consumer in ("container", "elsewhere"):
        assert alarm_metrics(consumed_by(consumer)) == usage.ALARM_METRICS - usage.MAPPING_ALARMS
    alarms = stack().of_type("AWS::CloudWatch::Alarm").values()
    assert all(alarm.get("Period", 300) >= 60 for alarm in alarms)  # alarms of high resolution cost more


def alarm_metrics(stack: Stack) -> int:
    """Return the number of metrics of all alarms."""
    alarms = stack.of_type("AWS::CloudWatch::Alarm").values()
    return sum(sum("MetricStat" in query for query in alarm.get("Metrics", ())) or 1 for alarm in alarms)


def test_the_task_has_the_estimated_size_and_processor() -> None:
    """Processor, memory, architecture and lease renewal are those of the estimate."""
    task = consumed_by("container").properties("ConsumerTask")
    assert int(task["Cpu"]) / 1024 == usage.CONSUMER_VCPUS
    assert int(task["Memory"]) / 1024 == usage.CONSUMER_GB
    assert task["RuntimePlatform"]["CpuArchitecture"] == "ARM64"
    assert FAILOVER_MILLIS / 3_000 == usage.LEASE_SECONDS


def test_functions_have_the_estimated_memory_and_processor() -> None:
    """Memory and architecture of the functions are those of the estimate."""
    for name, function in stack().of_type("AWS::Lambda::Function").items():
        expected = usage.RECONCILER_GB if name == "Reconciler" else usage.FUNCTION_GB
        assert function["MemorySize"] / 1024 == expected
        assert function["Architectures"] == ["arm64"]


def test_firehose_has_the_estimated_buffers() -> None:
    """Both buffers of Firehose are those of the estimate, and the source backup is off."""
    assert int(defaults()["LogBufferSeconds"]) == usage.LOG_BUFFER_SECONDS
    assert int(defaults()["LogBufferMegabytes"]) * usage.MB == usage.LOG_BUFFER_BYTES
    assert int(processors()["BufferIntervalInSeconds"]) == usage.TRANSFORM_BUFFER_SECONDS
    assert int(processors()["BufferSizeInMBs"]) * usage.MB == usage.TRANSFORM_BUFFER_BYTES
    assert defaults()["SourceBackup"] == "false"


def test_the_log_has_the_estimated_storage_class() -> None:
    """The log moves to Intelligent-Tiering after the estimated days, and never expires."""
    assert defaults()["LogStorageClass"] == "INTELLIGENT_TIERING"
    assert int(defaults()["LogTransitionDays"]) == usage.TRANSITION_DAYS
    assert defaults()["LogExpirationDays"] == "0"


def test_the_mapping_has_the_estimated_batches_and_metrics() -> None:
    """Batch size, window and metrics of the mapping are those of the estimate."""
    [mapping] = stack().of_type("AWS::Lambda::EventSourceMapping").values()
    assert mapping["BatchSize"] == usage.RECORDS_PER_CALL
    assert mapping["MaximumBatchingWindowInSeconds"] == usage.CALL_WINDOW_SECONDS
    assert mapping["ParallelizationFactor"] == str(usage.CALLS_PER_SHARD)
    assert mapping["MetricsConfig"] == {"Metrics": ["EventCount"]}


def test_the_table_is_billed_by_request_with_recovery() -> None:
    """The table has on-demand capacity and point-in-time recovery."""
    [table] = stack().of_type("AWS::DynamoDB::Table").values()
    assert table["BillingMode"] == "PAY_PER_REQUEST"
    assert table["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"] is True


def test_options_and_defaults_are_those_of_the_template() -> None:
    """Options of the command have the values and defaults of the template's parameters."""
    parameters = template()["Parameters"]
    assert [mode.value for mode in StreamMode] == parameters["StreamMode"]["AllowedValues"]
    assert [days.value for days in RetentionDays] == parameters["StreamRetentionDays"]["AllowedValues"]
    workload = Workload(emails_per_day=0)
    assert str(workload.stream_retention_days) == defaults()["StreamRetentionDays"]
    assert workload.stream_mode == defaults()["StreamMode"]
    assert workload.shards == int(defaults()["StreamShards"])
    assert [consumer.value for consumer in ConsumerMode] == parameters["Consumer"]["AllowedValues"]
    assert (workload.consumer, str(workload.consumer_tasks)) == (defaults()["Consumer"], defaults()["ConsumerTasks"])


def test_the_number_of_metrics_is_that_of_the_functions() -> None:
    """The functions publish as many metrics as the estimate bills."""
    transform, projector = (EphemeralMetrics(namespace=NAMESPACE, service="counted") for _ in range(2))
    count_events(transform, SES_TYPES)
    count(transform, {"Unrecognized": 0, "Dropped": 0, "Failed": 0})  # added by its handler, which has its own tests
    count_projected(projector, BatchResult(counts=Counts(events=Counter(bounce=1, complaint=1))))
    assert len(transform.metric_set) == usage.TRANSFORM_METRICS
    assert len(projector.metric_set) == usage.PROJECTOR_METRICS
