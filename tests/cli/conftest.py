"""Fixtures of the command line's tests: a clean environment, a running local cloud, and a scripted deployment."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from moto import mock_aws

from pipeline.aws.deployment import deploy as steps
from pipeline.aws.dynamodb import table_definition
from pipeline.cli import deploy as command
from pipeline.cli import prompt
from tests.support.cloud_process import CloudProcess
from tests.support.deployed_leftovers import AFirehose, deployed_for_redrive, keep_everywhere
from tests.support.fake_athena import FakeAthena
from tests.support.fake_cloudformation import OUTPUTS, FakeCloudFormation
from tests.support.fake_service import REGION, client
from tests.support.one_deployment import BUCKET, BUNDLE

USER_VARIABLES = ("AWS_", "MAILFOLD_", "FORCE_COLOR", "NO_COLOR", "COLUMNS", "HTTP_PROXY", "http_proxy")


@pytest.fixture(autouse=True)
def _environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Name no cloud, and hide the user's AWS configuration."""
    clean(monkeypatch)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))


@pytest.fixture(scope="session")
def cloud_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CloudProcess]:
    """The local cloud that all tests of a session share."""
    with CloudProcess(tmp_path_factory.mktemp("runtime")) as process:
        yield process


@pytest.fixture
def cloud(_environment: None, cloud_process: CloudProcess, monkeypatch: pytest.MonkeyPatch) -> CloudProcess:
    """The shared local cloud, which this test's commands discover."""
    cloud_process.show(monkeypatch)
    return cloud_process


@pytest.fixture
def beside(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Everything that a deployment needs beside CloudFormation: moto, and a bundle without code."""
    monkeypatch.setattr(steps, "build_bundle", lambda **_: BUNDLE)
    monkeypatch.setattr(steps, "POLL_SECONDS", 0.0)
    with mock_aws():
        client("s3").create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        client("dynamodb").create_table(**table_definition(OUTPUTS["SuppressionTable"]))
        yield


@pytest.fixture
def stack(beside: None, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Return a function that makes the command find a scripted stack."""

    def put(**stack: Any) -> FakeCloudFormation:
        cloudformation = FakeCloudFormation(**stack)
        fakes = {"athena": FakeAthena().client(), "cloudformation": cloudformation.client()}
        monkeypatch.setattr(command, "connect_aws", lambda _: lambda service: fakes.get(service) or client(service))
        return cloudformation

    return put


@pytest.fixture
def firehose(monkeypatch: pytest.MonkeyPatch) -> Iterator[AFirehose]:
    """A deployment without leftovers."""
    with deployed_for_redrive(monkeypatch) as fake:
        yield fake


@pytest.fixture
def leftovers(firehose: AFirehose) -> AFirehose:
    """A deployment with one bounce in every place, in its real format."""
    keep_everywhere()
    return firehose


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """A terminal at which a user can answer."""
    monkeypatch.setattr(prompt, "can_ask", lambda: True)


def clean(environment: pytest.MonkeyPatch) -> None:
    """Remove what a developer may have set in the environment for other work."""
    for name in os.environ:
        if name.startswith(USER_VARIABLES):
            environment.delenv(name)
    environment.setenv("AWS_CONFIG_FILE", os.devnull)
    environment.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
    environment.setenv("AWS_EC2_METADATA_DISABLED", "true")
