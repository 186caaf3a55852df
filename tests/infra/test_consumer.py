"""The consumer in a container: what runs, on what, and that it works with what the stack made."""

import re
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from pipeline.aws import settings
from pipeline.aws.deployment.template import check_parameters
from pipeline.aws.deployment.template import load_template as to_deploy
from pipeline.aws.kcl.configuration import HEALTH_HOST, HEALTH_PORT, HEAP_MEBIBYTES
from pipeline.aws.kcl.health import HealthMonitor
from pipeline.aws.kcl.server import HealthServer
from pipeline.aws.kcl.supervisor import SLACK_SECONDS
from pipeline.aws.metrics import NAMESPACE
from pipeline.cli import consume
from tests.infra.conftest import Metric, environments
from tests.support.cloudformation import CONTAINER, NAME, REGION, consumed_by, refusals, template

MADE = consumed_by("container")
LONGEST_STOP_SECONDS = 120  # Fargate's: docs.aws.amazon.com/AmazonECS/latest/APIReference/API_ContainerDefinition.html
# What Fargate has: docs.aws.amazon.com/AmazonECS/latest/developerguide/fargate-tasks-services.html
FARGATE_MEBIBYTES = {"256": (512, 2048), "512": (1024, 4096), "1024": (2048, 8192)}
# What Java takes besides, and a process of Python with the most that Kinesis gives in one call: 5,000 bounces of 2 kB.
BESIDE_HEAP_MEBIBYTES, PROCESS_MEBIBYTES = 256, 115


def task() -> Any:
    return MADE.properties("ConsumerTask")


def container() -> Any:
    (one,) = task()["ContainerDefinitions"]
    return one


def probe(port: int) -> subprocess.CompletedProcess[bytes]:
    """Run the health check, on another port."""
    word, program, *arguments = container()["HealthCheck"]["Command"]
    assert (word, program) == ("CMD", "python")  # no shell: the image's own may go
    command = [sys.executable, *(argument.replace(f":{HEALTH_PORT}/", f":{port}/") for argument in arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=60)  # noqa: S603 - what the template says


@pytest.fixture
def condition() -> HealthMonitor:
    return HealthMonitor(workers=1)


@pytest.fixture
def port(condition: HealthMonitor) -> Iterator[int]:
    with HealthServer(condition.overview, port=0) as endpoint:
        yield int(endpoint.url.rpartition(":")[2])


def test_it_reads_the_stacks_stream_into_the_stacks_table() -> None:
    made = {"{FeedbackStream}": "mail-stream", "{SuppressionTable}": "mail-table", "{LogBucket}": "mail-bucket"}
    environment = {name: made.get(value, value) for name, value in environments()["ConsumerTask"].items()}
    found, consumer = settings.read_consumer_settings(environment)
    assert (found.table, found.bucket, consumer.stream) == ("mail-table", "mail-bucket", "mail-stream")
    assert found.tables_parameter == MADE.outputs["TablesParameter"]["Value"]
    assert environment["AWS_REGION"] == REGION
    assert container()["Command"] == ["consume"]


def test_every_variable_is_one_that_is_read() -> None:
    read = {value for name, value in vars(settings).items() if name.isupper() and isinstance(value, str)}
    read |= {one.envvar for hint in vars(consume).values() for one in getattr(hint, "__metadata__", ())}
    assert set(environments()["ConsumerTask"]) - {"AWS_REGION"} <= read


def test_it_gets_the_policy_that_the_projector_gets() -> None:
    policy = '{"version":2}'
    (one,) = consumed_by("container", Policy=policy).properties("ConsumerTask")["ContainerDefinitions"]
    assert {"Name": settings.POLICY, "Value": policy} in one["Environment"]
    assert settings.POLICY not in environments()["ConsumerTask"]


def test_its_counts_are_those_that_the_alarms_on_the_projector_watch(published_by: dict[str, set[Metric]]) -> None:
    watched = {
        (alarm["Namespace"], alarm["MetricName"], alarm["Dimensions"][0]["Value"])
        for alarm in MADE.of_type("AWS::CloudWatch::Alarm").values()
        if alarm.get("Namespace") == NAMESPACE and "projector" in alarm["Dimensions"][0]["Value"]
    }
    assert {name for _, name, _ in watched} == {"MillisBehindLatest", "Quarantined", "Faults", "Unfinished"}
    assert watched <= published_by["ConsumerTask"]


def test_its_log_goes_where_counts_become_metrics_and_forgets() -> None:
    log = container()["LogConfiguration"]
    assert log["LogDriver"] == "awslogs"
    assert log["Options"]["awslogs-group"] == "{ConsumerLogs}"
    assert log["Options"]["mode"] == "non-blocking"  # CloudWatch's outage is not the stream's
    assert not {"awslogs-multiline-pattern", "awslogs-datetime-format"} & set(log["Options"])  # a line is an event
    assert MADE.properties("ConsumerLogs") == {"RetentionInDays": "30"}


def test_it_can_change_nothing_of_its_image_and_has_no_privileges() -> None:
    assert container()["ReadonlyRootFilesystem"] is True
    assert container()["User"].split(":") == ["10001", "10001"]
    assert container()["LinuxParameters"] == {"InitProcessEnabled": True, "Capabilities": {"Drop": ["ALL"]}}
    assert container()["MountPoints"] == [{"SourceVolume": "scratch", "ContainerPath": "/tmp"}]  # noqa: S108 - in the container
    assert task()["Volumes"] == [{"Name": "scratch"}]
    assert not {"Privileged", "Secrets", "PortMappings"} & set(container())
    assert MADE.properties("ConsumerService").get("EnableExecuteCommand", False) is False


def test_it_speaks_by_https_and_nobody_speaks_to_it() -> None:
    group = MADE.properties("ConsumerSecurityGroup")
    (egress,) = group["SecurityGroupEgress"]
    assert (egress["IpProtocol"], egress["FromPort"], egress["ToPort"]) == ("tcp", 443, 443)
    assert "SecurityGroupIngress" not in group
    # docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateSecurityGroup.html: no apostrophe, for one
    for said in (group["GroupDescription"], egress["Description"]):
        assert re.fullmatch(r"[a-zA-Z0-9. _\-:/()#,@\[\]+=&;{}!$*]{1,255}", said)
    network = MADE.properties("ConsumerService")["NetworkConfiguration"]["AwsvpcConfiguration"]
    assert network == {
        "Subnets": ["subnet-0a1b2c3d", "subnet-4e5f6a7b"],
        "SecurityGroups": ["{ConsumerSecurityGroup}"],
        "AssignPublicIp": "DISABLED",
    }


def test_it_is_given_the_time_to_stop_that_it_takes() -> None:
    grace_seconds = float(environments()["ConsumerTask"]["MAILFOLD_GRACE"])
    assert grace_seconds + SLACK_SECONDS < container()["StopTimeout"] <= LONGEST_STOP_SECONDS


def test_a_health_check_that_is_answered_well_passes(port: int) -> None:
    assert probe(port).returncode == 0


def test_a_health_check_that_is_answered_ill_fails(port: int, condition: HealthMonitor) -> None:
    condition.record_exit(0, exit_code=1)
    assert probe(port).returncode != 0


def test_a_health_check_that_nobody_answers_fails(unused_port: int) -> None:
    assert probe(unused_port).returncode != 0


@pytest.fixture
def unused_port() -> int:
    with HealthServer(HealthMonitor(workers=1).overview, port=0) as endpoint:
        return int(endpoint.url.rpartition(":")[2])


def test_the_health_check_asks_where_the_command_listens() -> None:
    assert f"http://{HEALTH_HOST}:{HEALTH_PORT}/health" in container()["HealthCheck"]["Command"][-1]
    assert "MAILFOLD_HEALTH_PORT" not in environments()["ConsumerTask"]


def test_a_task_that_cannot_work_ends_so_that_ecs_sees_it_and_takes_a_deployment_back() -> None:
    assert int(environments()["ConsumerTask"]["MAILFOLD_RESTARTS"]) > 0
    configuration = MADE.properties("ConsumerService")["DeploymentConfiguration"]
    assert configuration["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    assert configuration["MinimumHealthyPercent"] == 100


@pytest.mark.parametrize("size", template()["Mappings"]["ConsumerSize"])
def test_a_size_is_one_of_fargates_and_has_room_for_the_shards_that_it_is_said_to_have(size: str) -> None:
    made = consumed_by("container", ConsumerSize=size).properties("ConsumerTask")
    least, most = FARGATE_MEBIBYTES[made["Cpu"]]
    said = template()["Parameters"]["ConsumerSize"]["Description"].partition(f"{size} - ")[2]
    shards = int(said.partition("up to ")[2].split()[0].rstrip("."))
    assert least <= int(made["Memory"]) <= most
    assert HEAP_MEBIBYTES + BESIDE_HEAP_MEBIBYTES + (shards + 1) * PROCESS_MEBIBYTES <= int(made["Memory"])


def test_the_architecture_is_the_images() -> None:
    made = consumed_by("container", ConsumerArchitecture="X86_64").properties("ConsumerTask")
    assert task()["RuntimePlatform"] == {"CpuArchitecture": "ARM64", "OperatingSystemFamily": "LINUX"}
    assert made["RuntimePlatform"]["CpuArchitecture"] == "X86_64"


def test_there_are_as_many_tasks_as_asked_for() -> None:
    assert MADE.properties("ConsumerService")["DesiredCount"] == "1"
    assert consumed_by("container", ConsumerTasks="3").properties("ConsumerService")["DesiredCount"] == "3"


def test_nothing_of_it_is_made_unless_asked_for() -> None:
    for consumer in ("lambda", "elsewhere"):
        kinds = {each["Type"] for each in consumed_by(consumer).resources.values()}
        assert not {kind for kind in kinds if kind.startswith(("AWS::ECS::", "AWS::EC2::"))}


@pytest.mark.parametrize("missing", ["ConsumerImage", "ConsumerVpc", "ConsumerSubnets"])
def test_a_container_without_what_it_needs_is_refused_before_anything_is_made(missing: str) -> None:
    (refusal,) = refusals(**{**CONTAINER, missing: ""})
    assert missing in refusal


def test_others_need_none_of_it() -> None:
    assert refusals(**CONTAINER) == refusals(Consumer="elsewhere") == refusals() == []


def test_deploy_takes_the_parameters() -> None:
    check_parameters(CONTAINER, template=to_deploy())


def test_the_lease_table_is_named_after_the_stack() -> None:
    assert environments()["ConsumerTask"]["MAILFOLD_APPLICATION"] == f"{NAME}-consumer"
    assert consumed_by("elsewhere").outputs["ConsumerApplication"]["Value"] == f"{NAME}-consumer"
