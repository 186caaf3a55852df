"""The consumer in a container: its task, its environment and its health check, as the template defines them."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.aws import settings
from pipeline.aws.deployment.parameters import check_parameters
from pipeline.aws.deployment.template import load_template
from pipeline.aws.kcl.configuration import HEALTH_HOST, HEALTH_PORT
from pipeline.aws.kcl.health_monitor import HealthMonitor
from pipeline.aws.kcl.server import HealthServer
from pipeline.aws.kcl.supervisor import SLACK_SECONDS
from pipeline.aws.settings import NAMESPACE
from pipeline.cli import consume
from tests.infra.conftest import Metric, environments
from tests.support.cloudformation import (
    CONTAINER,
    NAME,
    PSEUDO_PARAMETERS,
    REGION,
    consumed_by,
    rule_violations,
    template,
)
from tests.support.consumer_memory import JAVA_MEBIBYTES, PROCESS_MEBIBYTES, heap_mebibytes

STACK = consumed_by("container")
LONGEST_STOP_SECONDS = 120  # Fargate's: docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
# Fargate's memory by CPU units: docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
FARGATE_MEBIBYTES = {"256": (512, 2048), "512": (1024, 4096), "1024": (2048, 8192)}


def task() -> Any:
    """Return the task definition."""
    return STACK.properties("ConsumerTask")


def container() -> Any:
    """Return the container definition."""
    (definition,) = task()["ContainerDefinitions"]
    return definition


def probe(port: int) -> subprocess.CompletedProcess[bytes]:
    """Run the health check on another port."""
    word, program, *arguments = container()["HealthCheck"]["Command"]
    assert (word, program) == ("CMD", "python")  # no shell: the image may have none
    command = [sys.executable, *(argument.replace(f":{HEALTH_PORT}/", f":{port}/") for argument in arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=300)  # noqa: S603 - what the template says


@pytest.fixture
def health() -> HealthMonitor:
    """Health state of one worker."""
    return HealthMonitor(workers=1)


@pytest.fixture
def port(health: HealthMonitor) -> Iterator[int]:
    """Port of a health server."""
    with HealthServer(health.overview, port=0) as endpoint:
        yield int(endpoint.url.rpartition(":")[2])


def test_the_environment_names_stream_table_and_bucket() -> None:
    """The settings are parsed with the names of the deployed resources."""
    names = {"{FeedbackStream}": "mail-stream", "{SuppressionTable}": "mail-table", "{LogBucket}": "mail-bucket"}
    environment = {name: names.get(value, value) for name, value in environments()["ConsumerTask"].items()}
    projector, consumer = settings.read_consumer_settings(environment)
    assert (projector.table, projector.bucket, consumer.stream) == ("mail-table", "mail-bucket", "mail-stream")
    assert projector.tables_parameter == STACK.outputs["TablesParameter"]["Value"]
    assert environment["AWS_REGION"] == REGION
    assert container()["Command"] == ["consume"]


def test_every_variable_is_a_known_setting_or_option() -> None:
    """The task sets no variable that the command does not read."""
    read = {value for name, value in vars(settings).items() if name.isupper() and isinstance(value, str)}
    read |= {option.envvar for hint in vars(consume).values() for option in getattr(hint, "__metadata__", ())}
    assert set(environments()["ConsumerTask"]) - {"AWS_REGION"} <= read


def test_the_container_has_a_policy_only_if_given() -> None:
    """Without the parameter the default policy applies."""
    policy = '{"version":2}'
    (definition,) = consumed_by("container", Policy=policy).properties("ConsumerTask")["ContainerDefinitions"]
    assert {"Name": settings.POLICY, "Value": policy} in definition["Environment"]
    assert settings.POLICY not in environments()["ConsumerTask"]


def test_the_container_publishes_the_metrics_of_the_alarms(published_by: dict[str, set[Metric]]) -> None:
    """The alarms on the projector's metrics also cover the container."""
    watched = {
        (alarm["Namespace"], alarm["MetricName"], alarm["Dimensions"][0]["Value"])
        for alarm in STACK.of_type("AWS::CloudWatch::Alarm").values()
        if alarm.get("Namespace") == NAMESPACE and "projector" in alarm["Dimensions"][0]["Value"]
    }
    assert {name for _, name, _ in watched} == {"MillisBehindLatest", "Quarantined", "InternalErrors", "Unfinished"}
    assert watched <= published_by["ConsumerTask"]


def test_the_log_goes_to_cloudwatch_with_a_retention() -> None:
    """Each line is an event, so that the embedded metric format works."""
    log = container()["LogConfiguration"]
    assert log["LogDriver"] == "awslogs"
    assert log["Options"]["awslogs-group"] == "{ConsumerLogs}"
    assert log["Options"]["mode"] == "non-blocking"  # an outage of CloudWatch must not stop the consumer
    assert not {"awslogs-multiline-pattern", "awslogs-datetime-format"} & set(log["Options"])  # a line is an event
    assert STACK.properties("ConsumerLogs") == {"RetentionInDays": "30"}


def test_the_container_is_read_only_and_unprivileged() -> None:
    """The container runs as the image's user, with a read-only file system and without capabilities."""
    assert container()["ReadonlyRootFilesystem"] is True
    assert container()["User"].split(":") == ["10001", "10001"]
    assert container()["LinuxParameters"] == {"InitProcessEnabled": True, "Capabilities": {"Drop": ["ALL"]}}
    assert container()["MountPoints"] == [{"SourceVolume": "scratch", "ContainerPath": "/tmp"}]  # noqa: S108 - in the container
    assert task()["Volumes"] == [{"Name": "scratch"}]
    assert not {"Privileged", "Secrets", "PortMappings"} & set(container())
    assert STACK.properties("ConsumerService").get("EnableExecuteCommand", False) is False


def test_the_security_group_allows_outgoing_https_only() -> None:
    """There is no incoming rule, and descriptions have only the characters that EC2 accepts."""
    group = STACK.properties("ConsumerSecurityGroup")
    (egress,) = group["SecurityGroupEgress"]
    assert (egress["IpProtocol"], egress["FromPort"], egress["ToPort"]) == ("tcp", 443, 443)
    assert "SecurityGroupIngress" not in group
    # docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html: no apostrophe, for one
    for description in (group["GroupDescription"], egress["Description"]):
        assert re.fullmatch(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}", description)
    network = STACK.properties("ConsumerService")["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network == {
        "Subnets": ["subnet-0a1b2c3d", "subnet-4e5f6a7b"],
        "SecurityGroups": ["{ConsumerSecurityGroup}"],
        "AssignPublicIp": "DISABLED",
    }


def test_the_task_has_time_to_stop() -> None:
    """ECS waits longer than the command takes to stop, within Fargate's limit."""
    grace_seconds = float(environments()["ConsumerTask"]["MAILFOLD_GRACE"])
    assert grace_seconds + SLACK_SECONDS < container()["StopTimeout"] <= LONGEST_STOP_SECONDS


def test_the_health_check_passes_for_a_healthy_consumer(port: int) -> None:
    """The command of the health check ends with 0."""
    assert probe(port).returncode == 0


def test_the_health_check_fails_for_an_unhealthy_consumer(port: int, health: HealthMonitor) -> None:
    """A worker that ended makes the health check fail."""
    health.record_exit(0, exit_code=1)
    assert probe(port).returncode != 0


def test_the_health_check_fails_without_a_server(closed_port: int) -> None:
    """A closed port makes the health check fail."""
    assert probe(closed_port).returncode != 0


@pytest.fixture
def closed_port() -> int:
    """A port on which no server listens."""
    with HealthServer(HealthMonitor(workers=1).overview, port=0) as endpoint:
        return int(endpoint.url.rpartition(":")[2])


def test_the_health_check_uses_the_default_port() -> None:
    """The URL is the default address of the command."""
    assert f"http://{HEALTH_HOST}:{HEALTH_PORT}/health" in container()["HealthCheck"]["Command"][-1]
    assert "MAILFOLD_HEALTH_PORT" not in environments()["ConsumerTask"]


def test_a_broken_deployment_is_rolled_back() -> None:
    """The command ends after some restarts, and the deployment has a circuit breaker."""
    assert int(environments()["ConsumerTask"]["MAILFOLD_RESTARTS"]) > 0
    configuration = STACK.properties("ConsumerService")["DeploymentConfiguration"]
    assert configuration["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert configuration["MinimumHealthyPercent"] == 100


@pytest.mark.parametrize("size", template()["Mappings"]["ConsumerSize"])
def test_a_size_is_valid_and_has_memory_for_its_shards(size: str) -> None:
    """Memory is within Fargate's range. It and Java's heap suffice for the number of shards in the description."""
    sized = consumed_by("container", ConsumerSize=size).properties("ConsumerTask")
    (definition,) = sized["ContainerDefinitions"]
    heap = next(int(entry["Value"]) for entry in definition["Environment"] if entry["Name"] == "MAILFOLD_HEAP")
    least, most = FARGATE_MEBIBYTES[sized["Cpu"]]
    description = template()["Parameters"]["ConsumerSize"]["Description"].partition(f"{size} - ")[2]
    shards = int(description.partition("up to ")[2].split()[0].rstrip("."))
    assert least <= int(sized["Memory"]) <= most
    assert heap >= heap_mebibytes(shards)
    assert heap + JAVA_MEBIBYTES + (shards + 1) * PROCESS_MEBIBYTES <= int(sized["Memory"])


def test_the_architecture_is_a_parameter() -> None:
    """The default is ARM64."""
    intel = consumed_by("container", ConsumerArchitecture="X86_64").properties("ConsumerTask")
    assert task()["RuntimePlatform"] == {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}
    assert intel["RuntimePlatform"]["CpuArchitecture"] == "X86_64"


def test_the_number_of_tasks_is_a_parameter() -> None:
    """The default is one task."""
    assert STACK.properties("ConsumerService")["DesiredCount"] == "1"
    assert consumed_by("container", ConsumerTasks="3").properties("ConsumerService")["DesiredCount"] == "3"


def test_other_consumers_need_no_ecs_resources() -> None:
    """Without a container there is no resource of ECS or EC2."""
    for consumer in ("lambda", "elsewhere"):
        kinds = {resource["Type"] for resource in consumed_by(consumer).resources.values()}
        assert not {kind for kind in kinds if kind.startswith(("AWS::ECS::", "AWS::EC2::"))}


@pytest.mark.parametrize("missing", ["ConsumerImage", "ConsumerVpc", "ConsumerSubnets"])
def test_a_container_requires_image_vpc_and_subnets(missing: str) -> None:
    """A rule of the template rejects a container without one of them."""
    (violation,) = rule_violations(**{**CONTAINER, missing: ""})
    assert missing in violation


def test_other_consumers_violate_no_rule() -> None:
    """Complete containers and other consumers are accepted."""
    assert rule_violations(**CONTAINER) == rule_violations(Consumer="elsewhere") == rule_violations() == []


def test_deploy_accepts_the_parameters() -> None:
    """The parameters of a container satisfy the check of `deploy`."""
    check_parameters(CONTAINER, template=load_template())


def test_a_new_stack_of_the_same_name_has_a_new_lease_table() -> None:
    """The old one's checkpoints do not apply to the new stream. So the name has a part of the stack's ID."""
    name = f"{NAME}-consumer-5af3dc00"
    assert environments()["ConsumerTask"]["MAILFOLD_APPLICATION"] == name
    assert consumed_by("elsewhere").outputs["ConsumerApplication"]["Value"] == name
    assert name.removeprefix(f"{NAME}-consumer-") in PSEUDO_PARAMETERS["AWS::StackId"]
