"""Which table is live stands in a parameter that is made once, and never set back."""

from collections.abc import Iterator
from typing import Any

import pytest
from botocore.stub import Stubber
from moto import mock_aws

from pipeline.aws.stack import SuppressionTables, create_tables, parse_tables, read_tables
from pipeline.errors import ServiceUnavailable, UsageError
from tests.support.fake_service import client

PARAMETER = "/mailfold/mail/tables"


@pytest.fixture
def ssm() -> Iterator[Any]:
    with mock_aws():
        yield client("ssm")


def test_the_parameter_is_made_once_and_then_left_alone(ssm: Any) -> None:
    assert read_tables(ssm, parameter=PARAMETER) is None
    assert create_tables(ssm, parameter=PARAMETER, live="mail-suppression-1")
    ssm.put_parameter(
        Name=PARAMETER, Value='{"live":"mail-suppression-2","shadow_tables":["mail-suppression-1"]}', Overwrite=True
    )
    assert not create_tables(ssm, parameter=PARAMETER, live="mail-suppression-1")
    assert read_tables(ssm, parameter=PARAMETER) == SuppressionTables(
        live="mail-suppression-2", shadow_tables=("mail-suppression-1",)
    )


@pytest.mark.parametrize(
    "text",
    ["", "mail-suppression-1", "{}", '{"live":""}', '{"live":"a","shadow_tables":["a"]}', '{"live":"a","alos":[]}'],
)
def test_a_parameter_that_says_nothing_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="parameter of the live table is wrong"):
        parse_tables(text)


def test_a_throttle_is_an_outage(ssm: Any) -> None:
    with Stubber(ssm) as stubber:
        for operation in ("get_parameter", "put_parameter"):
            stubber.add_client_error(operation, "ThrottlingException", "slow", 400)
        with pytest.raises(ServiceUnavailable):
            read_tables(ssm, parameter=PARAMETER)
        with pytest.raises(ServiceUnavailable):
            create_tables(ssm, parameter=PARAMETER, live="mail-suppression-1")
