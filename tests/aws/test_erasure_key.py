"""The key of erasures is created once, read by senders, and destroyed for ever."""

from collections.abc import Iterator
from typing import Any

import pytest
from moto import mock_aws

from pipeline.aws.clients import create_client
from pipeline.aws.erasure_key import destroy_key, ensure_key, erasure_parameter, read_key
from pipeline.errors import UsageError
from pipeline.pseudonym import KEY_BYTES

PARAMETER = erasure_parameter("/mailfold/mail")


@pytest.fixture
def ssm() -> Iterator[Any]:
    with mock_aws():
        yield create_client("ssm", region="us-east-1")


def test_a_key_is_created_once(ssm: Any) -> None:
    """Another one would hide everyone who was erased with the first."""
    assert read_key(ssm, parameter=PARAMETER) is None
    key = ensure_key(ssm, parameter=PARAMETER)

    assert len(key) == KEY_BYTES
    assert ensure_key(ssm, parameter=PARAMETER) == read_key(ssm, parameter=PARAMETER) == key


def test_a_key_is_encrypted(ssm: Any) -> None:
    """Without decryption it is not shown."""
    key = ensure_key(ssm, parameter=PARAMETER)

    parameter = ssm.get_parameter(Name=PARAMETER)["Parameter"]

    assert parameter["Type"] == "SecureString"
    assert parameter["Value"] != key.hex()


def test_a_destroyed_key_is_gone(ssm: Any) -> None:
    """The answer says whether there was one."""
    ensure_key(ssm, parameter=PARAMETER)

    assert [destroy_key(ssm, parameter=PARAMETER) for _ in range(2)] == [True, False]
    assert read_key(ssm, parameter=PARAMETER) is None


@pytest.mark.parametrize("value", ["no hex", "00" * (KEY_BYTES - 1)])
def test_a_parameter_that_holds_no_key_is_an_error(ssm: Any, value: str) -> None:
    """With another key, everyone who was erased would seem clear."""
    ssm.put_parameter(Name=PARAMETER, Value=value, Type="SecureString")

    with pytest.raises(UsageError, match="does not hold a key"):
        read_key(ssm, parameter=PARAMETER)
