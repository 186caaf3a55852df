"""The manifest for Kubernetes: valid, and the same container as on ECS. No cluster is asked for here."""

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
ENVIRONMENT = {each["name"]: each["value"] for each in CONTAINER["env"]}
OF_THE_POD = {"MAILFOLD_HEALTH_HOST"}  # a kubelet is not on the pod's loopback interface, as ECS's check is


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: str(document["kind"]))
def test_it_is_what_kubernetes_takes(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, kubernetes_validate.latest_version(), strict=True)


def test_its_pods_are_those_that_it_selects_and_run_as_its_account() -> None:
    labels = DEPLOYMENT["spec"]["template"]["metadata"]["labels"]
    assert DEPLOYMENT["spec"]["selector"]["matchLabels"] == labels
    assert POD["serviceAccountName"] == ACCOUNT["metadata"]["name"]


def test_its_container_gets_what_ecs_gives() -> None:
    on_ecs = environments()["ConsumerTask"]
    assert ENVIRONMENT.keys() - OF_THE_POD == on_ecs.keys()
    same = {"MAILFOLD_GRACE", "MAILFOLD_RESTARTS"}
    assert {name: ENVIRONMENT[name] for name in same} == {name: on_ecs[name] for name in same}


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
def test_what_is_to_be_put_in_is_named_after_an_output(variable: str, output: str) -> None:
    spelt = "".join(f"_{letter}" if letter.isupper() else letter for letter in output).strip("_").upper()
    assert ENVIRONMENT[variable] == spelt
    assert output in consumed_by("elsewhere").outputs


def test_the_notes_name_outputs_and_parameters_that_there_are() -> None:
    assert "ConsumerPolicyArn" in TEXT
    assert "ConsumerPolicyArn" in consumed_by("elsewhere").outputs
    assert "--param Consumer=elsewhere" in TEXT
    assert "elsewhere" in template()["Parameters"]["Consumer"]["AllowedValues"]
    assert consumed_by("elsewhere").properties("FeedbackLateAlarm")["AlarmName"].endswith("feedback is late")


def test_it_can_change_nothing_of_its_image_and_has_no_privileges() -> None:
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
    assert [one["mountPath"] for one in CONTAINER["volumeMounts"]] == [
        one["ContainerPath"] for one in on_ecs["MountPoints"]
    ]
    assert POD["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(POD)


def test_it_is_given_the_time_to_stop_that_it_takes() -> None:
    assert float(ENVIRONMENT["MAILFOLD_GRACE"]) + SLACK_SECONDS < POD["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("probe", ["readinessProbe", "livenessProbe"])
def test_it_is_asked_how_it_fares_where_it_listens(probe: str) -> None:
    assert CONTAINER[probe]["httpGet"] == {"path": "/health", "port": "health"}
    assert CONTAINER["ports"] == [{"name": "health", "containerPort": HEALTH_PORT}]
    assert ENVIRONMENT["MAILFOLD_HEALTH_HOST"] == "0.0.0.0"  # noqa: S104 - within the cluster; nothing of it is secret


def test_it_is_restarted_as_late_as_on_ecs() -> None:
    (on_ecs,) = consumed_by("container").properties("ConsumerTask")["ContainerDefinitions"]
    probe, check = CONTAINER["livenessProbe"], on_ecs["HealthCheck"]
    assert (probe["periodSeconds"], probe["failureThreshold"]) == (check["Interval"], check["Retries"])
    assert probe["initialDelaySeconds"] == check["StartPeriod"]


def test_no_secret_stands_in_it() -> None:
    assert not {name for name in ENVIRONMENT if "KEY" in name or "SECRET" in name or "TOKEN" in name}
