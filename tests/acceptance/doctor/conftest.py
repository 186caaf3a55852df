"""A deployment in an emulator of its own, which these tests may break."""

import io
import zipfile
from collections.abc import Iterator
from hashlib import sha256

import pytest

from pipeline.aws.deployment.bundle import Bundle
from tests.acceptance.deployment.account import Account, guarded_account
from tests.acceptance.deployment.deployment import deploy
from tests.acceptance.doctor.deployment_fixture import STACK, Patient, finish


@pytest.fixture(scope="session")
def doctor_account() -> Iterator[Account]:
    """An account in an emulator that enforces what policies say."""
    with guarded_account() as account:
        yield account


@pytest.fixture(scope="session")
def patient(doctor_account: Account) -> Patient:
    """A deployment that lacks nothing, but for what the emulator cannot do. Each test leaves it as it found it."""
    return a_patient(doctor_account, STACK)


def a_patient(account: Account, name: str, **parameters: str) -> Patient:
    """Deploy the template with these parameters, and finish what the emulator leaves out."""
    made = deploy(account, name=name, bundle=no_code(), parameters=parameters)
    patient = Patient(account=account, stack=made.stack)
    finish(patient)
    return patient


def no_code() -> Bundle:
    """Return a bundle that holds nothing to run: nothing here is."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as bundle:
        bundle.writestr("nothing.py", "")
    return Bundle(data=content.getvalue(), sha256=sha256(content.getvalue()).hexdigest())
