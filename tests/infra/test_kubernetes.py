"""The Kubernetes manifest: valid, and with the same container as on ECS. Tested without a cluster."""

from typing import Any

import kubernetes_validate
import pytest
import yaml

from pipeline.aws import settings
from pipeline.aws.kcl.configuration import HEALTH_PORT
from pipeline.aws.kcl.supervisor import SLACK_SECONDS
from tests.acceptance.emulators.ministack import ROOT
from tests.infra.conftest import environments
from tests.support.cloudformation import consumed_by, template

TEXT = (ROOT / "infra" / "kubernetes.yaml").read_text()
DOCUMENTS: list[dict[str, Any]] = list(yaml.safe_load_all(TEXT))
ACCOUNT, DEPLOYMENT = DOCUMENTS
POD = DEPLOYMENT["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]
ENVIRONMENT = {variable["name"]: variable["value"] for variable in CONTAINER["env"]}
POD_ONLY = {"MAILFOLD_HEALTH_HOST"}  # a kubelet cannot reach the pod's loopback interface


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document["kind"]))
def test_the_manifest_is_valid(document: dict[str, Any]) -> None:
    """Every document satisfies the newest schema of Kubernetes."""
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_the_deployment_selects_its_pods() -> None:
    """The selector matches the pods' labels, and the pods use the service account."""
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"] == labels
    assert POD["serviceAccountName"] == ACCOUNT["metadata"]["name"]


def test_the_environment_is_that_of_ecs() -> None:
    """The container has the variables of the ECS task, and the same grace period and restarts."""
    on_ecs = environments()["ConsumerTask"]
    assert ENVIRONMENT.keys() - POD_ONLY == on_ecs.keys()
    shared = {"MAILFOLD_GRACE", "MAILFOLD_RESTARTS"}
    assert {name: ENVIRONMENT[name] for name in shared} == {name: on_ecs[name] for name in shared}


@pytest.mark.parametrize(
    ("variable", "output"),
    [
        (settings.STREAM, "FeedbackStream"),
        (settings.TABLE, "SuppressionTable"),
        (settings.BUCKET, "LogBucket"),
        (settings.TABLES_PARAMETER, "TablesParameter"),
        ("MAILFOLD_APPLICATION", "ConsumerApplication"),
    ],
)
def test_placeholders_are_named_after_outputs(variable: str, output: str) -> None:
    """A placeholder is the name of a stack output in capital letters."""
    placeholder = "".join(f"_{letter}" if letter.isupper() else letter for letter in output).strip("_").upper()
    assert ENVIRONMENT[variable] == placeholder
    assert output in consumed_by("elsewhere").outputs


def test_the_comments_name_existing_outputs_and_parameters() -> None:
    """Output, parameter and alarm in the comments exist in the template."""
    assert "ConsumerPolicyArn" in TEXT
    assert "ConsumerPolicyArn" in consumed_by("elsewhere").outputs
    assert "--param Consumer=elsewhere" in TEXT
    assert "elsewhere" in template()["Parameters"]["Consumer"]["AllowedValues"]
    assert consumed_by("elsewhere").properties("FeedbackLateAlarm")["AlarmName"].endswith("feedback is late")


def test_the_pod_is_read_only_and_unprivileged() -> None:
    """The pod runs as the image's user, with a read-only file system and without capabilities."""
    (on_ecs,) = consumed_by("container").properties("ConsumerTask")["ContainerDefinitions"]
    pod, container = POD["securityContext"], CONTAINER["securityContext"]
    assert f"{pod['runAsUser']}:{pod['runAsGroup']}" == on_ecs["User"]
    assert pod["runAsNonRoot"] is True
    assert pod["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert [mount["mountPath"] for mount in CONTAINER["volumeMounts"]] == [
        mount["ContainerPath"] for mount in on_ecs["MountPoints"]
    ]
    assert POD["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(POD)


def test_the_pod_has_time_to_stop() -> None:
    """Kubernetes waits longer than the command takes to stop."""
    assert float(ENVIRONMENT["MAILFOLD_GRACE"]) + SLACK_SECONDS < POD["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("probe", ["readinessProbe", "livenessProbe"])
def test_probes_use_the_health_port(probe: str) -> None:
    """Both probes read /health at the port on which the command listens."""
    assert CONTAINER[probe]["httpGet"] == {"path": "/health", "port": "health"}
    assert CONTAINER["ports"] == [{"name": "health", "containerPort": HEALTH_PORT}]
    assert ENVIRONMENT["MAILFOLD_HEALTH_HOST"] == "0.0.0.0"  # noqa: S104 - within the cluster; nothing of it is secret


def test_restarts_are_as_late_as_on_ecs() -> None:
    """Period, failures and start-up delay of the liveness probe equal ECS's health check."""
    (on_ecs,) = consumed_by("container").properties("ConsumerTask")["ContainerDefinitions"]
    probe, check = CONTAINER["livenessProbe"], on_ecs["HealthCheck"]
    assert (probe["periodSeconds"], probe["failureThreshold"]) == (check["Interval"], check["Retries"])
    assert probe["initialDelaySeconds"] == check["StartPeriod"]


def test_the_manifest_contains_no_secret() -> None:
    """No variable is named like a key, secret or token."""
    assert not {name for name in ENVIRONMENT if "KEY" in name or "SECRET" in name or "TOKEN" in name}
