"""Checks of the ECS service that replaces Lambda as the consumer. Its leases: see `leases`.

docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.aws.doctor.deployment import Deployment
from pipeline.aws.doctor.finding import Finding, error, restore, warning
from pipeline.aws.errors import missing_ok

if TYPE_CHECKING:
    from mypy_boto3_ecs.type_defs import ServiceTypeDef

NO_REASON = "ECS gives no reason"


def check_consumer(deployment: Deployment) -> Iterator[Finding]:
    """Check the ECS service, if the consumer is a container."""
    cluster = deployment.stack.outputs.get("ConsumerCluster")
    if cluster is None:
        return
    name = deployment.output("ConsumerService")
    answer = missing_ok(lambda: deployment.clients.ecs.describe_services(cluster=cluster, services=[name]))
    services = answer["services"] if answer else []
    active = next((service for service in services if service["status"] == "ACTIVE"), None)
    if active is None:
        message = f"the service {name} does not exist: no feedback reaches the table"
        yield error("consumer_missing", message, remedy=restore("ConsumerService"))
        return
    yield from _check_tasks(deployment, cluster, active)
    yield from _check_rollout(deployment, active)


def _check_tasks(deployment: Deployment, cluster: str, service: ServiceTypeDef) -> Iterator[Finding]:
    name, desired, running = service["serviceName"], service["desiredCount"], service["runningCount"]
    if not desired:
        start = f"ecs update-service --cluster {cluster} --service {name} --desired-count 1"
        message = f"the desired count of the service {name} is 0: no feedback reaches the table"
        yield error("consumer_stopped", message, remedy=deployment.aws_command(start))
    elif running < desired:
        reason = _last_stop_reason(deployment, cluster, name)
        last_stop = f"; the last one stopped: {reason}" if reason else ""
        message = f"{running:,} of {desired:,} tasks of the service {name} run{last_stop}"
        create = warning if running else error
        yield create("consumer_tasks_missing", message, remedy=read_consumer_logs(deployment))


def _last_stop_reason(deployment: Deployment, cluster: str, service: str) -> str:
    """Return why the last task stopped, or "" if none did. ECS keeps stopped tasks for an hour."""
    ecs = deployment.clients.ecs
    arns = ecs.list_tasks(cluster=cluster, serviceName=service, desiredStatus="STOPPED")["taskArns"]
    if not arns:
        return ""
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]  # it takes as many as ListTasks returns in a page
    last = max(tasks, key=lambda task: task.get("stoppedAt", deployment.now))
    exit_codes = [
        f"exit code {container['exitCode']}" for container in last.get("containers", ()) if "exitCode" in container
    ]
    return ", ".join([last.get("stoppedReason", NO_REASON).rstrip("."), *exit_codes])


def _check_rollout(deployment: Deployment, service: ServiceTypeDef) -> Iterator[Finding]:
    name = service["serviceName"]
    for rollout in service.get("deployments", ()):
        reason = rollout.get("rolloutStateReason", NO_REASON).rstrip(".")
        if rollout.get("rolloutState") == "FAILED":
            message = f"the update of the service {name} failed: {reason}"
            yield error("consumer_update_failed", message, remedy=read_consumer_logs(deployment))
        elif rollout.get("rolloutState") == "IN_PROGRESS":
            message = f"the service {name} is being updated: {reason}"
            yield warning("consumer_updating", message, remedy="check again in a few minutes")


def read_consumer_logs(deployment: Deployment) -> str:
    """Return the remedy that the consumer's log names."""
    group = deployment.stack.outputs.get("ConsumerLogs")
    logs = f"the log group {group}" if group else "the logs of the process that runs `mailfold consume`"
    return f"read {logs}, and the findings about the consumer's roles"
