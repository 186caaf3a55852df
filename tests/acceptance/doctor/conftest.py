"""A deployment into which tests inject faults. Each worker of pytest-xdist has its own emulator and deployment."""

import io
import zipfile
from collections.abc import Iterator
from hashlib import sha256

import pytest

from pipeline.aws.deployment.bundle import Bundle
from tests.acceptance.deployment.account import Account, guarded_account
from tests.acceptance.deployment.deployment import deploy
from tests.acceptance.doctor.deployment_fixture import STACK, DeploymentFixture, complete


@pytest.fixture(scope="session")
def doctor_account() -> Iterator[Account]:
    """An account in an emulator that enforces policies."""
    with guarded_account() as account:
        yield account


@pytest.fixture(scope="session")
def deployed(doctor_account: Account) -> DeploymentFixture:
    """A healthy deployment, except for what the emulator cannot do. Each test restores it."""
    return deploy_fixture(doctor_account, STACK)


def deploy_fixture(account: Account, name: str, **parameters: str) -> DeploymentFixture:
    """Deploy the template with these parameters, and complete what the emulator omits."""
    stack = deploy(account, name=name, bundle=an_empty_bundle(), parameters=parameters).stack
    fixture = DeploymentFixture(account=account, stack=stack)
    complete(fixture)
    return fixture


def an_empty_bundle() -> Bundle:
    """Return a bundle without code: these tests invoke no function."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as bundle:
        bundle.writestr("empty.py", "")
    return Bundle(data=content.getvalue(), sha256=sha256(content.getvalue()).hexdigest())
