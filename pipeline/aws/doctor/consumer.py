"""The consumer in Lambda's place: the container's service, and who reads which shard, as the table of leases says.

docs.aws.amazon.com/AmazonECS/latest/APIReference/API_Service.html and
docs.aws.amazon.com/streams/latest/dev/kcl-dynamoDB.html
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from pipeline.aws.doctor.deployment import Deployment, unless_missing
from pipeline.aws.doctor.finding import Finding, error, warning

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_ecs import ECSClient
    from mypy_boto3_ecs.type_defs import ServiceTypeDef

NO_CLUSTER = frozenset({"ClusterNotFoundException"})
DONE = "SHARD_END"  # the library's word for the checkpoint of a shard that was read to its end
NAMED = 5  # of shards, in one sentence


def check_consumer(deployment: Deployment) -> Iterator[Finding]:
    """Look at the service, if the consumer is a container."""
    cluster = deployment.stack.outputs.get("ConsumerCluster")
    if cluster is None:
        return
    ecs: ECSClient = deployment.client("ecs")
    name = deployment.output("ConsumerService")
    answer = unless_missing(ecs.describe_services, missing=NO_CLUSTER, cluster=cluster, services=[name])
    active = [one for one in (answer or {}).get("services", ()) if one["status"] == "ACTIVE"]
    if not active:
        again = "make it again as infra/mailfold.yaml has it under ConsumerService"
        words = f"the service {name} is gone, so that no feedback reaches the table"
        yield error("consumer_missing", words, mending=again)
        return
    yield from _tasks(deployment, cluster, active[0])
    yield from _rollout(deployment, active[0])


def check_leases(deployment: Deployment) -> Iterator[Finding]:
    """Look at who reads which shard, if the consumer keeps leases: in a container, or elsewhere."""
    table = deployment.stack.outputs.get("ConsumerApplication")
    if table is None:
        return
    dynamodb: DynamoDBClient = deployment.client("dynamodb")
    page = unless_missing(dynamodb.scan, TableName=table, ConsistentRead=True)  # one page holds thousands
    leases = (page or {}).get("Items", [])
    if not leases:
        words = f"no consumer has begun to read the stream: there is nothing in the table of leases {table}"
        yield error("leases_missing", words, mending=_log(deployment))
    open_leases = [one for one in leases if one.get("checkpoint", {}).get("S") != DONE]
    if unread := sorted(one["leaseKey"]["S"] for one in open_leases if not one.get("leaseOwner", {}).get("S")):
        named = ", ".join(unread[:NAMED]) + (", …" if len(unread) > NAMED else "")
        again = f"look again in a minute: a shard that changes hands is nobody's; then {_log(deployment)}"
        yield error("shard_unread", f"nobody reads {named}: {len(unread):,} of {len(leases):,} shards", mending=again)


def _tasks(deployment: Deployment, cluster: str, service: ServiceTypeDef) -> Iterator[Finding]:
    name, wanted, running = service["serviceName"], service["desiredCount"], service["runningCount"]
    if not wanted:
        start = f"ecs update-service --cluster {cluster} --service {name} --desired-count 1"
        words = f"the service {name} is told to run no task, so that no feedback reaches the table"
        yield error("consumer_stopped", words, mending=deployment.aws(start))
    elif running < wanted:
        why = _last_stop(deployment, cluster, name)
        words = (
            f"{running:,} of {wanted:,} tasks of the service {name} run{f'; the last one ended: {why}' if why else ''}"
        )
        found = warning if running else error
        yield found("consumer_short", words, mending=_log(deployment))


def _last_stop(deployment: Deployment, cluster: str, service: str) -> str:
    """Return why the task that stopped last did; ECS remembers it for an hour. "": none did."""
    ecs: ECSClient = deployment.client("ecs")
    arns = ecs.list_tasks(cluster=cluster, serviceName=service, desiredStatus="STOPPED")["taskArns"]
    if not arns:
        return ""
    tasks = ecs.describe_tasks(cluster=cluster, tasks=arns)["tasks"]  # a page of the one is as many as the other takes
    last = max(tasks, key=lambda task: task.get("stoppedAt", deployment.now))
    codes = [f"exit code {one['exitCode']}" for one in last.get("containers", ()) if "exitCode" in one]
    return ", ".join([last.get("stoppedReason", "for no reason that ECS tells").rstrip("."), *codes])


def _rollout(deployment: Deployment, service: ServiceTypeDef) -> Iterator[Finding]:
    name = service["serviceName"]
    for one in service.get("deployments", ()):
        why = one.get("rolloutStateReason", "for no reason that ECS tells").rstrip(".")
        if one.get("rolloutState") == "FAILED":
            words = f"the service {name} could not be brought up to date: {why}"
            yield error("consumer_not_updated", words, mending=_log(deployment))
        elif one.get("rolloutState") == "IN_PROGRESS":
            words = f"the service {name} is being brought up to date: {why}"
            yield warning("consumer_changing", words, mending="look again in a few minutes")


def _log(deployment: Deployment) -> str:
    """Return where the reason stands."""
    group = deployment.stack.outputs.get("ConsumerLogs")
    where = f"the log group {group}" if group else "the log of whatever runs `mailfold consume`"
    return f"read {where}, and what is said of its role"
